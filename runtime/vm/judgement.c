#include "vm/judgement.h"

#include <string.h>

#include "mail/address.h"
#include "mail/domain.h"
#include "mail/fold.h"
#include "mail/idn.h"

/* --- recipients --------------------------------------------------------------------------------------------------- */

uint64_t *judgement_bits(struct judgement *j) { return ARENA_ARRAY(j->arena, uint64_t, j->words); }

static uint64_t *bits_grown(struct judgement *j, const uint64_t *old, size_t old_words)
{
    uint64_t *new = judgement_bits(j);
    memcpy(new, old, old_words * sizeof *new);
    return new;
}

struct member *judgement_add_member(struct judgement *j)
{
    if (bits_words(j->members.n + 1) > j->words) {
        size_t old = j->words;
        j->words = bits_words(j->members.n + 1) * 2;
        for (size_t i = 0; i < j->marks.n; i++) {
            j->marks.v[i].bits = bits_grown(j, j->marks.v[i].bits, old);
            j->marks.v[i].shadow = bits_grown(j, j->marks.v[i].shadow, old);
        }
    }
    VEC_PUSH(&j->members, (struct member){.target = NO_INDEX, .rule_index = NO_INDEX, .at = -1});
    VEC_PUSH(&j->endings, (struct ending){0});
    return &j->members.v[j->members.n - 1];
}

struct member *judgement_find_member(struct judgement *j, struct str canonical_whole)
{
    for (size_t i = 0; i < j->members.n; i++)
        if (str_eq(j->members.v[i].canonical.whole, canonical_whole)) return &j->members.v[i];
    return NULL;
}

struct mark *judgement_mark(struct judgement *j, struct str name, bool make)
{
    for (size_t i = 0; i < j->marks.n; i++)
        if (str_eq(j->marks.v[i].name, name)) return &j->marks.v[i];
    if (!make) return NULL;
    struct mark m = {name, judgement_bits(j), judgement_bits(j)};
    VEC_PUSH(&j->marks, m);
    return &j->marks.v[j->marks.n - 1];
}

/* --- values ------------------------------------------------------------------------------------------------------- */

struct view *values_room(struct judgement *j, struct values *out, uint32_t elements)
{
    if (out->n < elements || !out->v) { /* a mark is read again and again into the same room */
        struct view *views = ARENA_ARRAY(j->arena, struct view, elements);
        out->v = ARENA_ARRAY(j->arena, struct element, elements);
        for (uint32_t i = 0; i < elements; i++) out->v[i] = (struct element){.views = &views[i], .count = 1};
    }
    out->n = elements;
    return elements ? out->v[0].views : NULL;
}

void values_one(struct judgement *j, struct values *out, struct view view) { *values_room(j, out, 1) = view; }

static void get(struct judgement *j, const struct ready_slot *s, uint32_t recipient, const struct edits *edits,
                struct values *out)
{
    struct field_ask ask = {s->text, recipient, edits};
    const struct vm_given *given = j->in->given;
    for (size_t i = 0; given && i < given->n; i++) {
        if (given->v[i].field != s->field || !str_eq_nocase(given->v[i].text, s->text)) continue;
        *out = given->v[i].values;
        return;
    }
    if (given && given->absent && j->program->vocabulary->rows->fields[s->field].needs) return;
    j->program->vocabulary->getters[s->field](j, &ask, out);
}

static const struct values *member_values(struct judgement *j, const struct ready_slot *s, struct slot *at,
                                          uint32_t recipient)
{
    if (recipient >= at->member_room) {
        size_t room = j->words * 64;
        struct values *members = ARENA_ARRAY(j->arena, struct values, room);
        bool *known = ARENA_ARRAY(j->arena, bool, room);
        if (at->member_room) {
            memcpy(members, at->members, at->member_room * sizeof *members);
            memcpy(known, at->member_known, at->member_room * sizeof *known);
        }
        at->members = members;
        at->member_known = known;
        at->member_room = room;
    }
    struct values *out = &at->members[recipient];
    bool changes = s->field == j->program->vocabulary->mark_field; /* from rule to rule */
    if (!at->member_known[recipient] || changes) get(j, s, recipient, NULL, out);
    at->member_known[recipient] = true;
    return out;
}

const struct values *judgement_values(struct judgement *j, uint32_t slot, uint32_t recipient, const struct edits *edits)
{
    const struct ready_slot *s = &j->program->slots[slot];
    if (!j->slots[slot]) j->slots[slot] = ARENA_NEW(j->arena, struct slot);
    struct slot *at = j->slots[slot];
    if (s->by_recipient) return member_values(j, s, at, recipient);
    if (!s->by_edits) edits = NULL;
    for (struct slot_values *r = at->read; r; r = r->next) {
        if (r->edits != edits) continue;
        if (s->field == j->program->vocabulary->count_field) get(j, s, 0, edits, &r->values); /* rules add recipients */
        return &r->values;
    }
    struct slot_values *new = ARENA_NEW(j->arena, struct slot_values);
    new->edits = edits;
    new->next = at->read;
    at->read = new;
    get(j, s, 0, edits, &new->values);
    return &new->values;
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static struct str taken(struct arena *a, struct buf *b)
{
    struct str s = arena_str(a, buf_str(b));
    b->n = 0;
    return s;
}

bool canonical_address_of(struct arena *a, struct str address, struct canonical_address *out)
{
    *out = (struct canonical_address){STR(""), STR(""), STR(""), STR("")};
    if (address.n == 0) return false;
    struct buf b = {0};
    bool good = address_canonical(address, &b);
    if (good) {
        out->whole = taken(a, &b);
        out->local = address_local(out->whole);
        out->domain = address_domain(out->whole);
    } else { /* no mailbox: compared as near to one as it can be, so that a forged one is still seen */
        size_t at = str_rfind_byte(address, '@');
        fold_case_nfc(at == STR_NPOS ? address : str_slice(address, 0, at), &b);
        out->local = taken(a, &b);
        struct str domain = at == STR_NPOS ? STR("") : str_from(address, at + 1);
        if (!domain_canonical(domain, &b)) fold_lower_nfc(domain, &b);
        out->domain = taken(a, &b);
        out->whole =
            at == STR_NPOS ? out->local : arena_printf(a, "%.*s@%.*s", STR_ARG(out->local), STR_ARG(out->domain));
    }
    idn_to_unicode(out->domain, &b);
    out->unicode_domain = taken(a, &b);
    buf_free(&b);
    return good;
}
