/* tree.h - a sequence that shares with the one before: items by their place, in nodes of up to 32.
 * Thread: control makes, changes and drops them; any reads one, once sealed.
 *
 * Changing an item of a tree that somebody else holds, too, copies the nodes on the way to it and
 * nothing else, so a world of a tenant with 100,000 models differs from the world before in a few
 * nodes. What nobody else holds is changed in place: building one from nothing copies nothing.
 * Items and nodes are counted by whoever points at them (struct kept); all counts belong to one
 * thread, readers never touch them.
 * Not rebalanced when something is cut: a tree is never higher than what was ever put into it.
 * Source of the idea: path copying (Driscoll and others, 1989).
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TREE_H
#define WORLD_TREE_H

#include <stdbool.h>
#include <stdint.h>

/* The head of everything that trees and worlds share. gone: frees it, when the last holder
 * dropped it. */
struct kept {
  uint32_t holders;
  void (*gone)(struct kept *kept);
};

static inline struct kept kept_made(void (*gone)(struct kept *kept))
{
  return (struct kept){1, gone};
}
struct kept *kept_share(struct kept *kept); /* one more */
void kept_drop(struct kept *kept);          /* one fewer; the last frees; NULL is fine */

struct tree; /* NULL: empty */

uint32_t tree_n(const struct tree *tree);
/* place < tree_n. */
struct kept *tree_at(const struct tree *tree, uint32_t place);
struct tree *tree_share(struct tree *tree);
void tree_drop(struct tree *tree);

/* The tree and the item are taken; what is returned has the item there: in the stead of another,
 * or before it (place <= tree_n). */
struct tree *tree_put(struct tree *tree, uint32_t place, struct kept *item);
struct tree *tree_insert(struct tree *tree, uint32_t place, struct kept *item);
/* Without that item; NULL when it was the last. */
struct tree *tree_cut(struct tree *tree, uint32_t place);

#endif
