/* flight.c - who leads, who follows, and what they are told.
 * Thread: any loop; see flight.h.
 * SPDX-License-Identifier: MIT */
#include "serve/cache/flight.h"

#include "base/err.h"
#include "serve/cache/shard_int.h"
#include "world/letters.h"

static struct link *flights_of(struct shard *shard, const struct cache_key *key)
{
  return &shard->flights[key->hash[1] % FLIGHT_BUCKETS];
}

/* Who leads a flight of this key that goes no later than this class; NULL: nobody. */
static struct flight *leader_of(struct shard *shard, const struct cache_key *key, uint8_t class)
{
  struct link *bucket = flights_of(shard, key);
  for (struct link *link = bucket->next; link != bucket; link = link->next) {
    struct flight *flight = LIST_OF(link, struct flight, link);
    if (flight->class <= class && key_is(key, flight->key.hash, flight->key.bytes)) return flight;
  }
  return NULL;
}

static void follow(struct flight *leader, struct flight *flight)
{
  flight->state = FLIGHT_FOLLOWS;
  flight->leader = leader;
  list_push_back(&leader->followers, &flight->link);
  leader->n_followers++;
}

static void lead(struct shard *shard, struct flight *flight)
{
  flight->state = FLIGHT_LEADS;
  flight->left = false;
  list_init(&flight->followers);
  flight->n_followers = 0;
  list_push_front(flights_of(shard, &flight->key), &flight->link);
}

static void end(struct flight *flight)
{
  list_remove(&flight->link);
  flight->state = FLIGHT_NONE;
}

enum cache_asked cache_ask(struct cache *cache, struct flight *flight, const struct cache_key *key,
                           int64_t now_us, struct blob **blob, uint32_t *mismatches)
{
  struct shard *shard = &cache->shards[key->shard];
  struct waste waste = {0};
  enum cache_asked asked = CACHE_HIT;
  flight->key = *key;
  flight->second = false;
  flight->blob = NULL;
  shard_lock(shard);
  *blob = shard_look(cache, shard, key, now_us, &waste, mismatches);
  if (!*blob) {
    struct flight *leader = leader_of(shard, key, flight->class);
    asked = leader ? CACHE_FOLLOWS : CACHE_LEADS;
    if (leader)
      follow(leader, flight);
    else
      lead(shard, flight);
  }
  shard_unlock(shard);
  waste_free(&waste);
  return asked;
}

/* --- telling ---------------------------------------------------------------------------------- */

/* Takes all who follow off the flight: nobody but the caller touches them until they are told. */
static void take_all(struct flight *from, enum flight_news news, struct link *to)
{
  struct link *link;
  list_init(to);
  while ((link = list_pop_front(&from->followers))) {
    struct flight *flight = LIST_OF(link, struct flight, link);
    flight->state = FLIGHT_TOLD;
    flight->news = news;
    list_push_back(to, link);
  }
  from->n_followers = 0;
}

static void tell(struct flight *flight, struct blob *blob)
{
  flight->blob = blob ? blob_share(blob) : NULL;
  flight->mail.kind = LETTER_LANDED;
  mail_send(flight->home, &flight->mail); /* from here on it is its loop's again */
}

static void tell_all(struct link *list, struct blob *blob)
{
  struct link *link;
  while ((link = list_pop_front(list))) tell(LIST_OF(link, struct flight, link), blob);
}

void cache_land(struct cache *cache, struct flight *flight, struct blob *blob)
{
  struct shard *shard = &cache->shards[flight->key.shard];
  struct link told;
  list_init(&told);
  shard_lock(shard);
  if (flight->state == FLIGHT_LEADS) {
    take_all(flight, NEWS_ANSWER, &told);
    end(flight);
  }
  shard_unlock(shard);
  tell_all(&told, blob);
}

/* Of those who follow the first of the best class; NULL: nobody follows. */
static struct flight *heir_of(const struct flight *flight)
{
  struct flight *heir = NULL;
  for (struct link *link = flight->followers.next; link != &flight->followers; link = link->next) {
    struct flight *one = LIST_OF(link, struct flight, link);
    if (!heir || one->class < heir->class) heir = one;
  }
  return heir;
}

/* One who follows leads from now on, with the others behind it; NULL: there is none. */
static struct flight *pass_on(struct shard *shard, struct flight *flight, bool second)
{
  struct flight *next = heir_of(flight);
  struct link *link;
  if (next) list_remove(&next->link);
  end(flight);
  if (!next) return NULL;
  lead(shard, next);
  next->second = second;
  next->news = NEWS_LEAD;
  while ((link = list_pop_front(&flight->followers)))
    follow(next, LIST_OF(link, struct flight, link));
  flight->n_followers = 0;
  return next;
}

void cache_fail(struct cache *cache, struct flight *flight, bool ran, bool alone)
{
  struct shard *shard = &cache->shards[flight->key.shard];
  struct flight *next = NULL;
  struct link told;
  list_init(&told);
  shard_lock(shard);
  if (flight->state == FLIGHT_LEADS) {
    if (alone || (ran && flight->second)) {
      take_all(flight, NEWS_ALONE, &told);
      end(flight);
    } else {
      next = pass_on(shard, flight, ran || flight->second);
    }
  }
  shard_unlock(shard);
  if (next) tell(next, NULL);
  tell_all(&told, NULL);
}

bool cache_followed(struct cache *cache, struct flight *flight)
{
  struct shard *shard = &cache->shards[flight->key.shard];
  shard_lock(shard);
  bool followed = flight->state == FLIGHT_LEADS && flight->n_followers > 0;
  shard_unlock(shard);
  return followed;
}

bool cache_leave(struct cache *cache, struct flight *flight)
{
  struct shard *shard = &cache->shards[flight->key.shard];
  shard_lock(shard);
  bool follows = flight->state == FLIGHT_FOLLOWS;
  if (follows) {
    struct flight *leader = flight->leader;
    must(leader->n_followers > 0);
    end(flight);
    if (--leader->n_followers == 0 && leader->left) {
      atomic_store_explicit(leader->gone, true, memory_order_relaxed);
      end(leader);
    }
  }
  shard_unlock(shard);
  return follows;
}

bool cache_abandon(struct cache *cache, struct flight *flight)
{
  struct shard *shard = &cache->shards[flight->key.shard];
  shard_lock(shard);
  bool leads = flight->state == FLIGHT_LEADS;
  bool alone = !leads || flight->n_followers == 0;
  flight->left = true;
  if (leads && alone) end(flight);
  shard_unlock(shard);
  return alone;
}
