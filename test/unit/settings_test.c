/* settings_test.c - which URLs are this machine's: those alone may be shown the key that lies here.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "cli/settings.h"

TEST(only_this_machine_is_local)
{
  static const char *const local[] = {"http://localhost", "http://localhost:8080", "http://LOCALHOST/x",
                                      "http://127.0.0.1:8080", "http://127.9.8.7", "http://[::1]:8080",
                                      "https://[::1]", "http://[::ffff:127.0.0.1]"};
  static const char *const not[] = {
      "http://127.evil.com",     "http://localhost.evil.com", "http://localhost@evil.com",
      "http://127.0.0.1@evil.com", "http://evil.com/127.0.0.1", "http://evil.com#localhost",
      "http://[::2]",            "http://[::1",               "http://0.0.0.0",
      "http://128.0.0.1",        "http://",                   "localhost",
      "http://127.1",            "http://[127.0.0.1]evil.com@x", "http://10.0.0.1:127",
      "http://[::1]evil.com"};
  for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
    if (!url_is_local(local[i])) printf("%s\n", local[i]);
    EXPECT(url_is_local(local[i]));
  }
  for (size_t i = 0; i < sizeof not / sizeof *not; i++) {
    if (url_is_local(not[i])) printf("%s\n", not[i]);
    EXPECT(!url_is_local(not[i]));
  }
}
