/* tree.c - nodes copied on the way to what changes. Functions that call themselves go down one
 * level each time: seven levels hold more than there are places.
 * Thread: control; any reads.
 * SPDX-License-Identifier: MIT */
#include "world/tree.h"

#include "base/err.h"
#include "base/mem.h"

enum { WIDE = 32 };

struct kid {
  struct kept *at;
  uint32_t upto; /* items of this kid and of those before it */
};

struct tree {
  struct kept kept;
  uint16_t n, cap;
  bool leaf; /* kids are items, else nodes */
  struct kid kids[];
};

struct kept *kept_share(struct kept *kept)
{
  must(kept->holders);
  kept->holders++;
  return kept;
}

void kept_drop(struct kept *kept)
{
  if (!kept) return;
  must(kept->holders);
  if (--kept->holders == 0) kept->gone(kept);
}

static struct tree *node_of(struct kept *kept) { return (struct tree *)kept; }

static void node_gone(struct kept *kept)
{
  struct tree *node = node_of(kept);
  for (uint32_t i = 0; i < node->n; i++) kept_drop(node->kids[i].at);
  ungrab(node);
}

static size_t node_bytes(uint32_t cap) { return sizeof(struct tree) + cap * sizeof(struct kid); }

static struct tree *node_new(uint32_t cap, bool leaf)
{
  struct tree *node = grab(node_bytes(cap));
  *node = (struct tree){.kept = kept_made(node_gone), .cap = (uint16_t)cap, .leaf = leaf};
  return node;
}

/* The node, taken, as one that nobody else holds, with room for so many kids. */
static struct tree *node_own(struct tree *from, uint32_t room)
{
  uint32_t cap = room <= from->n ? from->n : 1;
  while (cap < room) cap *= 2;
  if (from->kept.holders > 1) {
    struct tree *copy = node_new(cap, from->leaf);
    copy->n = from->n;
    memcpy(copy->kids, from->kids, from->n * sizeof *from->kids);
    for (uint32_t i = 0; i < from->n; i++) from->kids[i].at->holders++;
    kept_drop(&from->kept);
    return copy;
  }
  if (from->cap >= room) return from;
  from = grab_more(from, node_bytes(cap));
  from->cap = (uint16_t)cap;
  return from;
}

static void node_recount(struct tree *node, uint32_t from)
{
  uint32_t upto = from ? node->kids[from - 1].upto : 0;
  for (uint32_t i = from; i < node->n; i++) {
    upto += node->leaf ? 1 : tree_n(node_of(node->kids[i].at));
    node->kids[i].upto = upto;
  }
}

/* Which kid has the place, which is then counted from that kid's first. */
static uint32_t node_kid(const struct tree *node, uint32_t *place)
{
  uint32_t i = 0;
  while (i + 1u < node->n && node->kids[i].upto <= *place) i++;
  if (i) *place -= node->kids[i - 1].upto;
  return i;
}

/* --- reading ---------------------------------------------------------------------------------- */

uint32_t tree_n(const struct tree *tree) { return tree ? tree->kids[tree->n - 1].upto : 0; }

struct kept *tree_at(const struct tree *tree, uint32_t place)
{
  must(place < tree_n(tree));
  while (!tree->leaf) tree = node_of(tree->kids[node_kid(tree, &place)].at);
  return tree->kids[place].at;
}

struct tree *tree_share(struct tree *tree)
{
  if (tree) kept_share(&tree->kept);
  return tree;
}

void tree_drop(struct tree *tree)
{
  if (tree) kept_drop(&tree->kept);
}

/* --- changing --------------------------------------------------------------------------------- */

static struct tree *put(struct tree *node, uint32_t place, struct kept *item)
{
  node = node_own(node, node->n);
  if (node->leaf) {
    kept_drop(node->kids[place].at);
    node->kids[place].at = item;
    return node;
  }
  struct kid *kid = &node->kids[node_kid(node, &place)];
  kid->at = &put(node_of(kid->at), place, item)->kept;
  return node;
}

struct tree *tree_put(struct tree *tree, uint32_t place, struct kept *item)
{
  must(place < tree_n(tree));
  return put(tree, place, item);
}

static struct tree *kid_add(struct tree *node, uint32_t at, struct kept *kid)
{
  node = node_own(node, node->n + 1u);
  memmove(&node->kids[at + 1], &node->kids[at], (node->n - at) * sizeof *node->kids);
  node->kids[at].at = kid;
  node->n++;
  node_recount(node, at);
  return node;
}

/* Room for a kid is made by a second node where there is none: who adds at the end leaves full
 * nodes behind. */
static struct tree *kid_add_or_split(struct tree *node, uint32_t at, struct kept *kid,
                                     struct tree **right)
{
  if (node->n < WIDE) return kid_add(node, at, kid);
  uint16_t stay = at == node->n ? WIDE : WIDE / 2;
  struct tree *second = node_new(WIDE, node->leaf);
  node = node_own(node, node->n);
  second->n = (uint16_t)(node->n - stay);
  memcpy(second->kids, node->kids + stay, second->n * sizeof *second->kids);
  node->n = stay;
  node_recount(second, 0);
  *right = at < stay ? second : kid_add(second, at - stay, kid);
  return at < stay ? kid_add(node, at, kid) : node;
}

static struct tree *insert(struct tree *node, uint32_t place, struct kept *item,
                           struct tree **right)
{
  *right = NULL;
  if (node->leaf) return kid_add_or_split(node, place, item, right);
  struct tree *more;
  node = node_own(node, node->n);
  uint32_t at = node_kid(node, &place);
  node->kids[at].at = &insert(node_of(node->kids[at].at), place, item, &more)->kept;
  node_recount(node, at);
  return more ? kid_add_or_split(node, at + 1, &more->kept, right) : node;
}

struct tree *tree_insert(struct tree *tree, uint32_t place, struct kept *item)
{
  struct tree *right;
  must(place <= tree_n(tree));
  if (!tree) tree = node_new(1, true);
  tree = insert(tree, place, item, &right);
  if (!right) return tree;
  struct tree *root = kid_add(node_new(2, false), 0, &tree->kept);
  return kid_add(root, 1, &right->kept);
}

static struct tree *cut(struct tree *node, uint32_t place)
{
  node = node_own(node, node->n);
  uint32_t at = node->leaf ? place : node_kid(node, &place);
  struct kept *kid = node->kids[at].at;
  if (!node->leaf) {
    struct tree *rest = cut(node_of(kid), place);
    node->kids[at].at = kid = &rest->kept;
    if (rest->n) {
      node_recount(node, at);
      return node;
    }
  }
  node->n--;
  memmove(&node->kids[at], &node->kids[at + 1], (node->n - at) * sizeof *node->kids);
  kept_drop(kid);
  node_recount(node, at);
  return node;
}

struct tree *tree_cut(struct tree *tree, uint32_t place)
{
  must(place < tree_n(tree));
  tree = cut(tree, place);
  while (tree->n && !tree->leaf && tree->n == 1) {
    struct tree *only = node_of(kept_share(tree->kids[0].at));
    tree_drop(tree);
    tree = only;
  }
  if (tree->n) return tree;
  tree_drop(tree);
  return NULL;
}
