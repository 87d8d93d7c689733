/* version_table.h - versions as paths name them, and what every route of both planes says of them:
 * net_loop_test asks the loop, desk_test the desk. The model has versions 1 to 3; 2 serves.
 * SPDX-License-Identifier: MIT */
#ifndef VERSION_TABLE_H
#define VERSION_TABLE_H

static const struct version_row {
  const char *text;
  int status;
  const char *code; /* NULL: an answer */
} version_rows[] = {
    {"2", 200, 0},
    {"9", 404, "VERSION_NOT_FOUND"},
    {"0", 404, "VERSION_NOT_FOUND"},
    {"4294967297", 404, "VERSION_NOT_FOUND"},
    {"4294967298", 404, "VERSION_NOT_FOUND"},
    {"18446744073709551615", 404, "VERSION_NOT_FOUND"},
    {"18446744073709551616", 400, "BAD_VERSION"},
    {"99999999999999999999999999999999999", 400, "BAD_VERSION"},
    {"02", 400, "BAD_VERSION"},
    {"00", 400, "BAD_VERSION"},
    {"-1", 400, "BAD_VERSION"},
    {"+2", 400, "BAD_VERSION"},
    {"2x", 400, "BAD_VERSION"},
    {"1.0", 400, "BAD_VERSION"},
    {"0x2", 400, "BAD_VERSION"},
    {"latest", 400, "BAD_VERSION"},
};
enum { VERSION_ROWS = sizeof version_rows / sizeof *version_rows };

#endif
