/* chores_test.c - files on their way in and out: marks, uploads that resume, collection, scrub, and
 * the janitor with this test as its control.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store.h"
#include "store/artifact.h"
#include "store/chores/janitor.h"
#include "store/chores/scrub.h"
#include "store/held.h"
#include "store/object_int.h"
#include "store/parcel.h"

static struct datadir dir;
static const char *path;
static struct err err;
static const struct slice ann = {"ann", 3}, bob = {"bob", 3};

static void begin(void)
{
  path = temp_dir();
  EXPECT_INT(datadir_open(&dir, path, &err), OK);
}

static void end(void)
{
  datadir_close(&dir);
  temp_remove(path);
}

static struct digest object(const char *text)
{
  struct stage *stage;
  struct digest digest;
  uint64_t bytes;
  EXPECT_INT(stage_new(&stage, &dir, 0, &err), OK);
  EXPECT_INT(stage_add(stage, slice_str(text), &err), OK);
  EXPECT_INT(stage_commit(stage, &digest, &bytes, &err), OK);
  return digest;
}

/* As if nobody had touched it for an hour. */
static void age(int fd, const char *name)
{
  struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
  EXPECT_INT(utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void object_age(const struct digest *digest)
{
  char name[OBJECT_PATH_MAX];
  object_path(digest, name);
  age(dir.objects_fd, name);
}

static bool there(const struct digest *digest)
{
  uint64_t bytes;
  return artifact_size(&dir, digest, &bytes, &err) == OK;
}

TEST(bytes_are_named_by_who_had_them)
{
  uint64_t bytes = 0;
  begin();
  struct digest digest = object("hello"), other = object("other");
  EXPECT_INT(held_find(&dir, ann, &digest, &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(held_add(&dir, ann, &digest, SLICE("k"), NULL, &err), OK);
  EXPECT_INT(held_find(&dir, ann, &digest, &bytes, &err), OK);
  EXPECT_INT(bytes, 5);
  EXPECT_INT(held_find(&dir, bob, &digest, &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(held_add(&dir, ann, &digest, SLICE("k"), NULL, &err), OK);
  EXPECT_INT(held_add(&dir, ann, &other, SLICE("k"), NULL, &err), E_IDEMPOTENCY_MISMATCH);
  EXPECT_INT(held_find(&dir, ann, &other, &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(held_add(&dir, bob, &other, SLICE("k"), NULL, &err), OK); /* another's key is another */
  EXPECT_INT(held_key(&dir, ann, SLICE("k"), &other, NULL, &err), E_IDEMPOTENCY_MISMATCH);
  end();
}

static const struct digest *named; /* NULL: no version names anything */

static bool is_named(void *of, const struct digest *digest)
{
  EXPECT(of == &named);
  return named && memcmp(named, digest, sizeof *digest) == 0;
}

/* As a start does it. */
static uint64_t counted(struct slice tenant)
{
  struct meter meter = {0};
  held_count(&dir, tenant, &meter, is_named, &named);
  return meter_pending(&meter);
}

/* As a desk does it: counted while it comes, then one mark. */
static void put(struct meter *meter, const struct digest *digest, uint64_t bytes)
{
  meter_pending_add(meter, bytes);
  EXPECT_INT(held_wait(&dir, ann, digest, bytes, meter, &err), OK);
}

TEST(bytes_that_wait_are_counted_once_and_given_back_once)
{
  struct meter meter = {0};
  begin();
  struct digest one = object("one"), two = object("two!");
  put(&meter, &one, 3);
  put(&meter, &two, 4);
  put(&meter, &one, 3); /* the same bytes once more */
  EXPECT_INT(meter_pending(&meter), 7);
  EXPECT(held_waits(&dir, ann, &one, 3) && !held_waits(&dir, bob, &one, 3));
  EXPECT_INT(counted(ann), 7);
  held_named(&dir, ann, &one, 3, &meter);
  held_named(&dir, ann, &one, 3, &meter); /* a second version of the same bytes */
  EXPECT_INT(meter_pending(&meter), 4);
  EXPECT(!held_waits(&dir, ann, &one, 3));
  put(&meter, &one, 3); /* and it waits again */
  EXPECT_INT(meter_pending(&meter), 7);
  end();
}

TEST(what_is_swept_is_given_back)
{
  struct collect collect;
  struct meter meter = {0}, whose = {0};
  struct parcel_want want = {.bytes = UINT64_MAX};
  struct parcel *parcel;
  char id[PARCEL_ID_LEN + 1];
  begin();
  struct digest one = object("one");
  put(&meter, &one, 3);
  EXPECT_INT(held_add(&dir, ann, &one, SLICE("key"), &meter, &err), OK);
  EXPECT_INT(held_add(&dir, ann, &one, SLICE("key"), &meter, &err), OK);
  EXPECT_INT(meter.upload_keys, 1);
  EXPECT_INT(parcel_make(&dir, ann, &want, id, &err), OK);
  EXPECT_INT(parcel_open(&parcel, &dir, ann, slice_str(id), &err), OK);
  EXPECT_INT(parcel_add(parcel, SLICE("hello"), &err), OK);
  parcel_close(parcel);
  meter_pending_add(&meter, 5);
  held_count(&dir, ann, &whose, is_named, &named);
  EXPECT(meter_pending(&whose) == 8 && whose.upload_keys == 1);
  const struct ref_meter meters[] = {{ann, &meter}};
  collect_begin(&collect, &dir, grab_zero(1, sizeof(struct digest)), 0, 1000);
  collect_sweep(&collect, meters, 1); /* nothing is that old */
  EXPECT(meter_pending(&meter) == 8 && collect.marks == 0 && collect.uploads == 0);
  collect.since_ms = INT64_MAX;
  collect_sweep(&collect, meters, 1);
  EXPECT(collect.marks == 3 && collect.uploads == 1);
  EXPECT(!meter_is_owed(&meter));
  collect_end(&collect);
  end();
}

/* Collects what is older than that; how many marks went. */
static uint64_t sweep(struct meter *meter, int64_t since_ms)
{
  struct collect collect;
  const struct ref_meter meters[] = {{ann, meter}};
  collect_begin(&collect, &dir, grab_zero(1, sizeof(struct digest)), 0, since_ms);
  collect_sweep(&collect, meters, 1);
  uint64_t marks = collect.marks;
  collect_end(&collect);
  return marks;
}

static void mark_age(const struct digest *digest)
{
  char hex[SHA256_HEX_LEN + 1];
  int fd = tenant_folder_open(dir.held_fd, ann, false);
  digest_hex(digest, hex);
  age(fd, hex);
  close(fd);
}

TEST(what_was_removed_counts_until_its_object_may_go)
{
  struct meter meter = {0};
  begin();
  struct digest one = object("one");
  put(&meter, &one, 3);
  EXPECT_INT(held_add(&dir, ann, &one, SLICE_NONE, &meter, &err), OK);
  held_named(&dir, ann, &one, 3, &meter);
  EXPECT(meter_pending(&meter) == 0 && counted(ann) == 3); /* a start, and nothing names it */
  held_named(&dir, ann, &one, 3, NULL);
  named = &one;
  EXPECT_INT(counted(ann), 0);
  named = NULL;
  meter_pending_add(&meter, 6); /* removed, two files of the same bytes */
  held_freed(&dir, ann, &one, 3, 2000, &meter);
  held_freed(&dir, ann, &one, 3, 2000, &meter);
  EXPECT_INT(meter_pending(&meter), 3);
  put(&meter, &one, 3); /* they come once more, and go */
  EXPECT_INT(meter_pending(&meter), 3);
  EXPECT_INT(sweep(&meter, 2000), 0);
  EXPECT_INT(sweep(&meter, 1500000000000), 0); /* it was in somebody's hands just now */
  EXPECT(meter_pending(&meter) == 3 && counted(ann) == 3);
  mark_age(&one);
  int fd = tenant_folder_open(dir.held_fd, ann, false);
  char wait[3 + SHA256_HEX_LEN + 3] = "p-";
  digest_hex(&one, wait + 2);
  memcpy(wait + 2 + SHA256_HEX_LEN, "-3", 3);
  age(fd, wait);
  close(fd);
  EXPECT_INT(sweep(&meter, 1500000000000), 2);
  EXPECT(meter_pending(&meter) == 0 && counted(ann) == 0);
  end();
}

TEST(who_looks_leaves_a_mark_as_old_as_it_was)
{
  uint64_t bytes = 0;
  begin();
  struct digest one = object("one"), two = object("two");
  EXPECT_INT(held_add(&dir, ann, &one, SLICE_NONE, NULL, &err), OK);
  EXPECT_INT(held_look(&dir, ann, &two, &bytes, &err), E_NOT_FOUND);
  mark_age(&one);
  EXPECT_INT(held_look(&dir, ann, &one, &bytes, &err), OK);
  EXPECT_INT(bytes, 3);
  struct meter meter = {0};
  EXPECT_INT(sweep(&meter, 1500000000000), 1);
  EXPECT_INT(held_look(&dir, ann, &one, &bytes, &err), E_NOT_FOUND);
  end();
}

/* What is in a version's hands again before the mark of its removal is made. */
TEST(a_janitor_marks_what_a_removal_left_and_takes_it_back)
{
  struct mailbox control;
  struct post post = {.control = &control};
  struct meter meter = {0};
  struct janitor_opts opts = {.keep_us = 1000000, .collect_us = 60000000, .scrub_us = 60000000};
  begin();
  mailbox_init_bell(&control);
  struct digest one = object("one");
  struct janitor *janitor = janitor_new(&opts, &dir, &post);
  for (int i = 0; i < 5; i++) {
    struct letter_freed *letter = grab_zero(1, sizeof *letter + sizeof *letter->files);
    letter->mail.kind = LETTER_FREED;
    letter->tenant = ann;
    letter->meter = &meter;
    letter->named = i & 1;
    letter->files[letter->n++] = (struct freed_file){one, 3};
    if (!letter->named) meter_pending_add(&meter, 3);
    mail_send(janitor_mailbox(janitor), &letter->mail);
    if (i != 2) janitor_turn(janitor, 1000000, 1700000000000);
    EXPECT_INT(meter_pending(&meter), i & 1 ? 0 : 3);
    if (i == 4) EXPECT(held_waits(&dir, ann, &one, 3));
  }
  struct letter_freed *late = grab_zero(1, sizeof *late); /* after its last turn */
  late->mail.kind = LETTER_FREED;
  mail_send(janitor_mailbox(janitor), &late->mail);
  janitor_free(janitor);
  mailbox_deinit(&control);
  end();
}

TEST(a_tenant_has_so_many_keys_of_uploads)
{
  struct meter meter = {.upload_keys = HELD_KEYS_MAX - 1};
  begin();
  struct digest one = object("one");
  EXPECT_INT(held_key(&dir, ann, SLICE("a"), &one, &meter, &err), OK);
  EXPECT_INT(held_key(&dir, ann, SLICE("b"), &one, &meter, &err), E_LIMIT_EXCEEDED);
  EXPECT(strstr(err.text, "100000 Idempotency-Keys") != NULL);
  EXPECT_INT(held_key(&dir, ann, SLICE("a"), &one, &meter, &err), OK); /* it is known */
  EXPECT_INT(held_key(&dir, bob, SLICE("b"), &one, NULL, &err), OK);
  end();
}

TEST(an_upload_grows_and_ends)
{
  char id[PARCEL_ID_LEN + 1], same[PARCEL_ID_LEN + 1];
  struct parcel_want want = {.has_digest = true, .digest = sha256_of(SLICE("hello")), .bytes = 5};
  struct parcel *parcel, *second;
  struct digest digest;
  uint64_t bytes;
  begin();
  EXPECT_INT(parcel_make(&dir, ann, &want, id, &err), OK);
  EXPECT_INT(parcel_open(&parcel, &dir, bob, slice_str(id), &err), E_NOT_FOUND);
  EXPECT_INT(parcel_open(&parcel, &dir, ann, slice_str(id), &err), OK);
  EXPECT_INT(parcel_open(&second, &dir, ann, slice_str(id), &err), E_CONFLICT);
  EXPECT_INT(parcel_add(parcel, SLICE("hel"), &err), OK);
  EXPECT_INT(parcel_sync(parcel, &err), OK);
  parcel_close(parcel);
  EXPECT_INT(parcel_make(&dir, ann, &want, same, &err), OK);
  EXPECT_STR(same, id);
  EXPECT_INT(parcel_open(&parcel, &dir, ann, slice_str(id), &err), OK);
  EXPECT_INT(parcel_offset(parcel), 3);
  EXPECT_INT(parcel_add(parcel, SLICE("lo!"), &err), E_BAD_SIZE);
  EXPECT_INT(parcel_add(parcel, SLICE("lo"), &err), OK);
  EXPECT_INT(parcel_end(parcel, &digest, &bytes, &err), OK);
  EXPECT(digest_same(&digest, &want.digest) && bytes == 5 && there(&digest));
  EXPECT_INT(parcel_open(&parcel, &dir, ann, slice_str(id), &err), E_NOT_FOUND);
  /* other bytes than were said */
  EXPECT_INT(parcel_make(&dir, ann, &want, id, &err), OK);
  EXPECT_INT(parcel_open(&parcel, &dir, ann, slice_str(id), &err), OK);
  EXPECT_INT(parcel_add(parcel, SLICE("he"), &err), OK);
  EXPECT_INT(parcel_end(parcel, &digest, &bytes, &err), E_BAD_SIZE);
  EXPECT_INT(parcel_open(&parcel, &dir, ann, slice_str(id), &err), OK);
  EXPECT_INT(parcel_add(parcel, SLICE("xxx"), &err), OK);
  EXPECT_INT(parcel_end(parcel, &digest, &bytes, &err), E_INVALID_ARGUMENT);
  EXPECT_INT(parcel_drop(&dir, ann, slice_str(id), &bytes, &err), E_NOT_FOUND);
  end();
}

TEST(a_tenant_has_so_many_uploads)
{
  char id[PARCEL_ID_LEN + 1];
  struct parcel_want want = {.bytes = UINT64_MAX};
  uint64_t bytes;
  begin();
  for (int i = 0; i < PARCELS_MAX; i++) EXPECT_INT(parcel_make(&dir, ann, &want, id, &err), OK);
  EXPECT_INT(parcel_make(&dir, ann, &want, id, &err), E_LIMIT_EXCEEDED);
  EXPECT_INT(parcel_make(&dir, bob, &want, id, &err), OK);
  static const char *const bad[] = {"", "x", "../../lock", "0123456789abcdef0123456789abcdeF"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    EXPECT_INT(parcel_drop(&dir, bob, slice_str(bad[i]), &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(parcel_drop(&dir, bob, slice_str(id), &bytes, &err), OK);
  end();
}

TEST(a_collection_takes_what_is_old_and_not_needed)
{
  struct collect collect;
  struct digest missing = sha256_of(SLICE("nowhere"));
  uint32_t at = 0;
  begin();
  struct digest needed = object("needed"), old = object("old"), young = object("young"),
                touched = object("touched");
  object_age(&needed);
  object_age(&old);
  object_age(&touched);
  EXPECT_INT(held_add(&dir, ann, &touched, SLICE_NONE, NULL, &err), OK);
  uint64_t bytes;
  EXPECT_INT(held_find(&dir, ann, &touched, &bytes, &err), OK); /* a version is being made of it */
  struct digest *digests = grab_zero(3, sizeof *digests);
  digests[0] = needed;
  digests[1] = missing;
  digests[2] = needed;
  collect_begin(&collect, &dir, digests, 3, 1500000000000);
  for (uint32_t i = 0; i < OBJECT_FOLDERS; i++) collect_folder(&collect, i);
  collect_sweep(&collect, NULL, 0);
  EXPECT_INT(collect.objects, 1);
  EXPECT_INT(collect.bytes, 3);
  EXPECT(there(&needed) && there(&young) && there(&touched) && !there(&old));
  struct digest digest;
  EXPECT(collect_missing(&collect, &at, &digest) && digest_same(&digest, &missing));
  EXPECT(!collect_missing(&collect, &at, &digest));
  collect_end(&collect);
  end();
}

TEST(a_scrub_finds_one_changed_byte)
{
  struct digest found;
  uint64_t bytes, objects, all, rotten;
  char name[OBJECT_PATH_MAX];
  begin();
  struct digest good = object("good"), bad = object("bad as it was");
  object_path(&bad, name);
  int fd = openat(dir.objects_fd, name, O_WRONLY);
  EXPECT(pwrite(fd, "B", 1, 0) == 1);
  close(fd);
  struct scrub *scrub = scrub_new(&dir);
  uint32_t n = 0;
  for (enum scrub_step step = SCRUB_MORE; step != SCRUB_DONE;) {
    step = scrub_step(scrub, &found, &bytes);
    if (step != SCRUB_ROTTEN) continue;
    n++;
    EXPECT(digest_same(&found, &bad));
  }
  scrub_count(scrub, &objects, &all, &rotten);
  EXPECT(n == 1 && objects == 2 && rotten == 1 && all == 4 + 13);
  EXPECT(scrub_found(scrub, &bad) && !scrub_found(scrub, &good));
  scrub_free(scrub);
  end();
}

/* --- the janitor ------------------------------------------------------------------------------ */

static struct mailbox control, home;
static struct post post = {.control = &control};

static struct mail *mail_of(struct mailbox *box, enum letter kind)
{
  struct mail *mail = mailbox_take(box);
  EXPECT(mail && !mail->next && (enum letter)mail->kind == kind);
  return mail;
}

TEST(a_janitor_tells_who_needs_what_is_rotten)
{
  char name[OBJECT_PATH_MAX];
  int64_t now = 1000000;
  begin();
  mailbox_init_bell(&control);
  mailbox_init_bell(&home);
  struct digest bad = object("bad");
  object_path(&bad, name);
  int fd = openat(dir.objects_fd, name, O_WRONLY);
  EXPECT(pwrite(fd, "B", 1, 0) == 1);
  close(fd);
  struct janitor_opts opts = {.keep_us = 1000000,
                              .collect_us = INT64_C(1) << 50,
                              .scrub_us = INT64_C(1) << 50,
                              .scrub_rate = 1 << 30};
  struct janitor *janitor = janitor_new(&opts, &dir, &post);
  janitor_turn(janitor, now, 1700000000000);
  struct letter_chore chore = {
      .mail.kind = LETTER_CHORE, .home = &home, .chore = CHORE_SCRUB};
  mail_send(janitor_mailbox(janitor), &chore.mail);
  for (int i = 0; i < 2 * OBJECT_FOLDERS && mailbox_empty(&control); i++)
    janitor_turn(janitor, now += 1000, 1700000000000);
  EXPECT(mail_of(&home, LETTER_CHORE_HOME) == &chore.mail && chore.chores.scrubbing);
  struct letter_refs *refs = LETTER_OF(mail_of(&control, LETTER_REFS), struct letter_refs);
  EXPECT(refs->of == REFS_OBJECT && digest_same(&refs->object, &bad));
  refs->refs = arena_zero(&refs->arena, 1, sizeof *refs->refs);
  refs->refs[0] = (struct ref){SLICE("ann"), SLICE("m"), SLICE("model.onnx"), 3, bad};
  refs->n = 1;
  refs->mail.kind = LETTER_REFS_HOME;
  mail_send(refs->home, &refs->mail);
  janitor_turn(janitor, now += 1000, 1700000000000);
  struct letter_command *command =
      LETTER_OF(mail_of(&control, LETTER_COMMAND), struct letter_command);
  EXPECT_INT(command->kind, COMMAND_VERSION_CORRUPT);
  EXPECT_INT(command->event.version, 3);
  EXPECT(slice_eq(event_fact(&command->event, "file"), SLICE("model.onnx")));
  command->mail.kind = LETTER_COMMAND_HOME;
  mail_send(command->home, &command->mail);
  for (int i = 0; i < 2 * OBJECT_FOLDERS && mailbox_empty(&control); i++)
    janitor_turn(janitor, now += 1000, 1700000000000);
  refs = LETTER_OF(mail_of(&control, LETTER_REFS), struct letter_refs);
  EXPECT_INT(refs->of, REFS_CORRUPT); /* the pass is over: who is sound again? */
  refs->refs = arena_zero(&refs->arena, 1, sizeof *refs->refs);
  refs->refs[0] = (struct ref){SLICE("ann"), SLICE("m"), SLICE("model.onnx"), 3, bad};
  refs->n = 1;
  refs->mail.kind = LETTER_REFS_HOME;
  mail_send(refs->home, &refs->mail);
  for (int i = 0; i < 4; i++) janitor_turn(janitor, now += 1000, 1700000000000);
  EXPECT(mailbox_empty(&control)); /* it is rotten still */
  janitor_free(janitor);
  janitor = janitor_new(&opts, &dir, &post); /* knows when the last pass was */
  chore.chore = CHORE_LOOK;
  chore.mail.kind = LETTER_CHORE;
  mail_send(janitor_mailbox(janitor), &chore.mail);
  janitor_turn(janitor, now, 1700000000000);
  mail_of(&home, LETTER_CHORE_HOME);
  EXPECT_INT(chore.chores.scrub_ended_ms, 1700000000000);
  EXPECT_INT(chore.chores.scrub_rotten, 1);
  janitor_free(janitor);
  mailbox_deinit(&control);
  mailbox_deinit(&home);
  end();
}
