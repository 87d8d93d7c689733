/* slot.h - versions that nobody has wanted for long give their slot in the tallies back, so that a
 * server that lives long keeps counters of what runs and not of all that ever ran.
 * Thread: control.
 *
 *   GONE, eldest beyond so many --> leaving --worlds before are home--> one round more --> free
 *
 * First its model has it no more, so that the next world shows the version without a slot. When the
 * last older world is home no call can count into the slot; when after that each loop's tally
 * has come home nothing counted is under way. Then the sums of the slot are nil, and it may be
 * another version's. If the version is wanted again, it is a new one to the tallies: its counters
 * begin at nil.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_SLOT_H
#define CONTROL_SLOT_H

struct control;

/* Once a second. */
void slots_pulse(struct control *control);

#endif
