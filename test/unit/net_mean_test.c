/* net_mean_test.c - the loop with allocators in their mean mode: pools fail at random and
 * poison what comes back. Whatever fails is answered 503 or closed, and everything else is right.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/debug.h"
#include "net_rig.h"

static struct rig rig;
static struct client client;

TEST(random_refusals_are_clean)
{
  static char text[4096];
  static const char *const paths[] = {"/v2/models/digits/infer", "/v2/models/hop/infer",
                                      "/v2/repository/index"};
  int answered = 0, refused = 0, closed = 0;
  EXPECT(debug_start("poison,fail=1/10,seed=42"));
  rig_up(&rig);
  client_open(&client, &rig);
  for (int i = 0; i < 2000; i++) {
    size_t n = rig_post(text, sizeof text, paths[i % 3], "", INFER16);
    client_send(&client, text, n);
    int status = client_read(&client);
    if (status == 200) answered++;
    if (status == 503) refused++;
    if (status == 503) EXPECT(client_says_code(&client, "NO_CAPACITY"));
    if (status == 200) EXPECT(strstr(client.body, ROW16) != NULL);
    EXPECT(status == 200 || status == 503 || status == 0);
    if (status != 0 && i % 50) continue;
    closed += status == 0;
    client_close(&client);
    client_open(&client, &rig);
  }
  EXPECT(answered > 1000 && refused > 20);
  EXPECT_INT(answered + refused + closed, 2000);
  client_close(&client);
  rig_down(&rig);
}
