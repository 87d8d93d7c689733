/* alias.c - names that point at versions: MODEL@champion.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/page.h"
#include "api/registry/registry_int.h"

enum { ALIASES_PAGE = 100, ALIASES_PAGE_MAX = 1000 };

enum desk_step alias_list(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  struct page page;
  if (!model || !page_read(ask, ALIASES_PAGE, ALIASES_PAGE_MAX, &page)) return ask_fail(ask);
  json_t *list = json_array();
  uint32_t i = 0;
  while (page.place.at && i < model->n_aliases &&
         slice_order(model->aliases[i].name, page.place) <= 0)
    i++;
  for (; i < model->n_aliases && page.limit > 0; i++, page.limit--) {
    const struct alias *alias = &model->aliases[i];
    json_array_append_new(list, json_pack("{so,so,so,so}", "alias", json_slice(alias->name),
                                          "version", json_integer(alias->version), "set_at",
                                          json_time(alias->set_ms), "set_by",
                                          json_slice(alias->set_by)));
  }
  struct slice last = i && i < model->n_aliases ? model->aliases[i - 1].name : SLICE_NONE;
  ask_etag(ask, model);
  return ask_json(ask, 200,
                  json_pack("{so,so,so}", "model", json_slice(model->name), "aliases", list,
                            "next", page_next(ask, last)));
}

static enum desk_step alias_send(struct ask *ask, enum command_kind kind, int64_t version)
{
  struct ask_facts facts;
  ask_facts_begin(ask, &facts);
  ask_fact_add(&facts, "alias", ask->letter->params[1]);
  ask->command.kind = kind;
  ask->command.event = (struct event){.kind = EVENT_ALIAS_SET,
                                      .model = ask->letter->params[0],
                                      .version = (uint32_t)version};
  ask_facts_give(&facts, &ask->command.event);
  return ask_command(ask, registry_done);
}

enum desk_step alias_set(struct ask *ask)
{
  int64_t version = 0;
  if (alias_name_check(ask->letter->params[1], &ask->err) != OK || !ask_body(ask) ||
      !ask_members(ask, "version", NULL) || !ask_model(ask, 0) ||
      !member_version(ask, "version", &version))
    return ask_fail(ask);
  if (version) return alias_send(ask, COMMAND_ALIAS_SET, version);
  fail(&ask->err, E_INVALID_ARGUMENT, "say where it is to point: {\"version\":3}");
  fail_at(&ask->err, "version");
  return ask_fail(ask);
}

enum desk_step alias_remove(struct ask *ask) { return alias_send(ask, COMMAND_ALIAS_REMOVE, 0); }
