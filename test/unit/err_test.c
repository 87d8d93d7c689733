/* err_test.c - the error table and the error object.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "test.h"

TEST(every_code_has_a_face_and_is_found_by_its_name)
{
  for (int i = 0; i < CODE_COUNT; i++) {
    enum code code = (enum code)i;
    const char *name = code_name(code);
    EXPECT_INT(code_named(name, (uint32_t)strlen(name)), code);
    EXPECT(code == OK || (code_http(code) >= 400 && code_http(code) < 600));
    EXPECT(code == OK || (code_grpc(code) > 0 && code_grpc(code) <= 16));
    EXPECT(code == OK || (code_exit(code) > 0 && code_exit(code) < 126));
    EXPECT(!code_retry(code) || code_http(code) == 429 || code_http(code) == 503);
  }
  EXPECT_INT(code_named("NO_SUCH_CODE", 12), CODE_COUNT);
  EXPECT_INT(code_named("INTERNALS", 8), E_INTERNAL);
  EXPECT_INT(code_named("INTERN", 6), CODE_COUNT);
}

TEST(ok_is_not_an_error)
{
  EXPECT_STR(code_name(OK), "OK");
  EXPECT_INT(code_http(OK), 200);
  EXPECT_INT(code_grpc(OK), 0);
  EXPECT_INT(code_exit(OK), 0);
}

TEST(some_rows_as_published)
{
  EXPECT_INT(code_http(E_LIMIT_EXCEEDED), 429);
  EXPECT(code_retry(E_LIMIT_EXCEEDED));
  EXPECT_INT(code_grpc(E_MODEL_NOT_FOUND), 5);
  EXPECT_INT(code_exit(E_GOLDEN_FAILED), 8);
  EXPECT_INT(code_level(E_INTERNAL), LOG_ERROR);
}

TEST(fail_fills_the_object_and_returns_the_code)
{
  struct err err = {.retry_after_ms = 7, .field = "old"};
  EXPECT_INT(fail(&err, E_BAD_SHAPE, "shape [%d] needs %d values", 3, 9), E_BAD_SHAPE);
  EXPECT_INT(err.code, E_BAD_SHAPE);
  EXPECT_INT(err.retry_after_ms, 0);
  EXPECT_STR(err.field, "");
  EXPECT_STR(err.text, "shape [3] needs 9 values");
  EXPECT_INT(fail_at(&err, "inputs[%d].data", 2), E_BAD_SHAPE);
  EXPECT_STR(err.field, "inputs[2].data");
}

TEST(nobody_has_to_want_the_text)
{
  EXPECT_INT(fail(NULL, E_NOT_FOUND, "unheard"), E_NOT_FOUND);
  EXPECT_INT(fail_at(NULL, "nowhere"), E_INTERNAL);
}

TEST(texts_are_cut_and_cleaned)
{
  struct err err;
  char longer[2 * ERR_TEXT_MAX];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = '\0';
  fail(&err, E_BAD_NAME, "%s", longer);
  EXPECT_INT(strlen(err.text), ERR_TEXT_MAX - 1);
  fail_at(&err, "%s", longer);
  EXPECT_INT(strlen(err.field), ERR_FIELD_MAX - 1);
  fail(&err, E_BAD_NAME, "a\r\nb\x7f%c", 0x1b);
  EXPECT_STR(err.text, "a??b??");
}
