/* glossary.h - `slipway help states`: what the words for states, reasons and verdicts of a
 * release mean.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_RELEASE_GLOSSARY_H
#define CLI_RELEASE_GLOSSARY_H

#include <stdbool.h>

void glossary_print(bool json);

#endif
