#include "vm/index.h"

#include <string.h>

#include "bytecode/disasm.h"
#include "mail/address.h"
#include "message/edits.h"
#include "pattern/literals.h"
#include "vm/judgement.h"
#include "vm/relation.h"

/* A test that watches for something, in the list of all that watch for it. */
struct watcher {
    uint32_t test, slot;
    uint32_t needle; /* as in struct watch_item */
    char next_byte;
    struct watcher *next;
};

/* The texts searched for in one reading of one field, of whichever slot: headers share them. */
struct group {
    VEC(struct literal) literals;
    VEC(struct watcher *) watchers; /* by text */
    struct map known;               /* text -> its index + 1 */
    struct map words;               /* run of letters and digits -> watchers */
    struct literals *search;
};

struct watched_slot {
    uint32_t *tests; /* all that watch this slot */
    uint32_t test_count;
    struct watcher *present, *probes;
    uint8_t searched, worded; /* bits by enum reading */
    uint16_t keyed;           /* bits by form of key */
    uint8_t patterned;        /* bits by enum reading: patterns are asked of it */
};

struct index {
    struct arena *arena;
    const struct vm_program *p;
    uint32_t rule_count, test_count;
    struct watch *watches;    /* by test */
    struct trigger *triggers; /* by rule */
    uint32_t **rules;         /* by test: the rules it triggers, the last of them NO_INDEX */
    uint64_t *always;         /* rules without a trigger */
    struct watched_slot *slots;
    uint32_t *plain, *members; /* slots of facts of the message but headers, of recipients */
    uint32_t plain_count, member_count;
    struct map headers;   /* name in lower case -> struct header_slots */
    struct group *groups; /* by field and reading */
    struct map keys;      /* slot, form, text -> watchers */
    struct literals_scratch *scratch;
    bool edits_matter;
};

/* `header "X"` and its like: each a field of its own with the same text. */
struct header_slots {
    uint32_t slot;
    struct header_slots *next;
};

struct index_state {
    uint64_t *rules, *tests, *headers; /* triggered, seen, slots looked at */
    size_t members;                    /* recipients looked at */
    const struct edits *copies[INDEX_COPIES_MAX];
    size_t copy_count;
    uint64_t **needles; /* by long list: those seen; NULL: none */
    bool unsure;        /* a search was cut short: more of them may be there */
    bool all;           /* everything counts as seen */
};

/* --- making ------------------------------------------------------------------------------------------------------- */

static struct watcher *watcher_new(struct index *x, uint32_t test, uint32_t slot, struct watcher *next)
{
    struct watcher *w = ARENA_NEW(x->arena, struct watcher);
    *w = (struct watcher){test, slot, NO_INDEX, 0, next};
    return w;
}

static struct watcher *watch_in_map(struct index *x, struct map *m, struct str key, uint32_t test, uint32_t slot)
{
    struct watcher *w = watcher_new(x, test, slot, map_get(m, key));
    map_put(m, key, w);
    return w;
}

static void watch_literal(struct index *x, struct group *g, const struct watch_item *item, uint32_t test, uint32_t slot)
{
    struct str text = item->text;
    size_t known = (size_t)(uintptr_t)map_get(&g->known, text);
    if (!known) {
        VEC_PUSH(&g->literals, (struct literal){text, false});
        VEC_PUSH(&g->watchers, NULL);
        known = g->literals.n;
        map_put(&g->known, text, (void *)(uintptr_t)known);
    }
    struct watcher *w = g->watchers.v[known - 1] = watcher_new(x, test, slot, g->watchers.v[known - 1]);
    w->next_byte = item->next;
    w->needle = item->needle;
    g->literals.v[known - 1].every |= item->next != 0;
}

/* Keys of all slots and forms stand in one table. */
static struct str key_of(struct buf *b, uint32_t slot, uint8_t form, const char *prefix, struct str text)
{
    b->n = 0;
    buf_add(b, (struct str){(const char *)&slot, sizeof slot});
    buf_add_byte(b, (char)form);
    buf_add(b, str_of(prefix));
    buf_add(b, text);
    return buf_str(b);
}

static struct group *group_of(const struct index *x, uint32_t slot, unsigned reading)
{
    return &x->groups[x->p->slots[slot].field * READING_COUNT + reading];
}

static void watch_for(struct index *x, uint32_t test)
{
    const struct ready_test *t = &x->p->tests[test];
    const struct watch *w = &x->watches[test];
    uint32_t slot = t->left->slot;
    struct watched_slot *s = &x->slots[slot];
    struct buf b = {0};
    for (uint32_t i = 0; i < w->count; i++) {
        const struct watch_item *item = &w->items[i];
        switch (item->how) {
        case WATCH_LITERAL:
            s->searched |= (uint8_t)(1u << item->form);
            watch_literal(x, group_of(x, slot, item->form), item, test, slot);
            break;
        case WATCH_WORD:
            s->worded |= (uint8_t)(1u << item->form);
            watch_in_map(x, &group_of(x, slot, item->form)->words, item->text, test, slot)->needle = item->needle;
            break;
        case WATCH_KEY:
            s->keyed |= (uint16_t)(1u << item->form);
            watch_in_map(x, &x->keys, arena_str(x->arena, key_of(&b, slot, item->form, "", item->text)), test, slot);
            break;
        case WATCH_PROBE: s->probes = watcher_new(x, test, slot, s->probes); break;
        default: s->present = watcher_new(x, test, slot, s->present);
        }
    }
    bool matched = t->pattern_count || t->detector;
    for (uint32_t k = 0; matched && k < t->reading_count; k++) s->patterned |= (uint8_t)(1u << t->readings[k]);
    x->edits_matter |= t->left->by_edits || (t->right && t->right->by_edits);
    buf_free(&b);
}

static struct str lower_case(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) p[i] = ascii_lower(s.p[i]);
    return (struct str){p, s.n};
}

/* Where a slot is looked for: headers by the names a message has, the others one after the other. */
static void register_slot(struct index *x, uint32_t slot)
{
    const struct ready_slot *s = &x->p->slots[slot];
    if (s->by_recipient) {
        x->members[x->member_count++] = slot;
    } else if (x->p->vocabulary->rows->fields[s->field].text != FIELD_TEXT_HEADER) {
        x->plain[x->plain_count++] = slot;
    } else {
        struct str name = lower_case(x->arena, s->text);
        struct header_slots *h = ARENA_NEW(x->arena, struct header_slots);
        *h = (struct header_slots){slot, map_get(&x->headers, name)};
        map_put(&x->headers, name, h);
    }
}

static void make_triggers(struct index *x)
{
    const struct program *p = x->p->program;
    uint32_t *counts = ARENA_ARRAY(x->arena, uint32_t, x->test_count);
    for (uint32_t i = 0; i < x->rule_count; i++) {
        struct trigger *t = &x->triggers[i];
        *t = trigger_of_rule(x->arena, x->p, x->watches, &p->rules[i]);
        if (p->rules[i].mode == MODE_OFF) continue;
        if (t->none) bit_set(x->always, i);
        for (uint32_t k = 0; k < t->count; k++) counts[t->tests[k]]++;
    }
    for (uint32_t i = 0; i < x->test_count; i++)
        if (counts[i]) x->rules[i] = ARENA_ARRAY(x->arena, uint32_t, counts[i] + 1);
    for (uint32_t i = 0; i < x->test_count; i++)
        if (counts[i]) x->rules[i][counts[i]] = NO_INDEX;
    for (uint32_t i = x->rule_count; i-- > 0;) {
        const struct trigger *t = &x->triggers[i];
        for (uint32_t k = 0; p->rules[i].mode != MODE_OFF && k < t->count; k++)
            x->rules[t->tests[k]][--counts[t->tests[k]]] = i;
    }
}

static void make_slots(struct index *x)
{
    uint32_t *counts = ARENA_ARRAY(x->arena, uint32_t, x->p->slot_count);
    for (uint32_t i = 0; i < x->test_count; i++)
        if (x->rules[i]) counts[x->p->tests[i].left->slot]++;
    for (uint32_t i = 0; i < x->p->slot_count; i++) {
        if (!counts[i]) continue;
        x->slots[i].tests = ARENA_ARRAY(x->arena, uint32_t, counts[i]);
        register_slot(x, i);
    }
    for (uint32_t i = 0; i < x->test_count; i++) {
        if (!x->rules[i]) continue;
        struct watched_slot *s = &x->slots[x->p->tests[i].left->slot];
        s->tests[s->test_count++] = i;
        watch_for(x, i);
    }
}

static bool make_literals(struct index *x)
{
    uint32_t n = (uint32_t)x->p->vocabulary->rows->field_count * READING_COUNT;
    for (uint32_t i = 0; i < n; i++) {
        struct group *g = &x->groups[i];
        if (!g->literals.n) continue;
        g->search = literals_create(g->literals.v, g->literals.n, x->scratch, NULL);
        if (!g->search) return false;
        map_free(&g->known);
    }
    return true;
}

struct index *index_create(const struct vm_program *p)
{
    if (!literals_available()) return NULL;
    const struct program *source = p->program;
    struct index *x = mem_alloc(sizeof *x);
    struct arena *a = arena_create();
    *x = (struct index){.arena = a, .p = p, .rule_count = source->rules_count, .test_count = source->tests_count};
    x->watches = ARENA_ARRAY(a, struct watch, x->test_count);
    x->triggers = ARENA_ARRAY(a, struct trigger, x->rule_count);
    x->rules = ARENA_ARRAY(a, uint32_t *, x->test_count);
    x->always = ARENA_ARRAY(a, uint64_t, bits_words(x->rule_count));
    x->slots = ARENA_ARRAY(a, struct watched_slot, p->slot_count);
    x->plain = ARENA_ARRAY(a, uint32_t, p->slot_count);
    x->members = ARENA_ARRAY(a, uint32_t, p->slot_count);
    x->groups = ARENA_ARRAY(a, struct group, p->vocabulary->rows->field_count * READING_COUNT);
    x->scratch = literals_scratch_create();
    for (uint32_t i = 0; i < x->test_count; i++) x->watches[i] = watch_test(a, p, &p->tests[i]);
    make_triggers(x);
    make_slots(x);
    if (!make_literals(x)) index_free(&x);
    return x;
}

void index_free(struct index **at)
{
    struct index *x = *at;
    if (!x) return;
    for (uint32_t i = 0; i < x->p->vocabulary->rows->field_count * READING_COUNT; i++) {
        struct group *g = &x->groups[i];
        VEC_FREE(&g->literals);
        VEC_FREE(&g->watchers);
        map_free(&g->known);
        map_free(&g->words);
        literals_free(&g->search);
    }
    map_free(&x->headers);
    map_free(&x->keys);
    literals_scratch_free(&x->scratch);
    arena_free(&x->arena);
    free(x);
    *at = NULL;
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* What is looked at now. */
struct look {
    struct judgement *j;
    const struct index *x;
    struct index_state *state;
    const struct group *group;
    struct str text; /* that the group is searched for in */
    uint32_t slot;
    uint32_t vain; /* places in it where a pattern's literal goes on otherwise */
};

static void see(struct look *l, uint32_t test)
{
    if (bit_has(l->state->tests, test)) return;
    bit_set(l->state->tests, test);
    for (const uint32_t *rule = l->x->rules[test]; *rule != NO_INDEX; rule++) bit_set(l->state->rules, *rule);
}

static void see_needle(struct look *l, const struct watcher *w)
{
    const struct ready_test *t = &l->x->p->tests[w->test];
    if (w->needle == NO_INDEX || t->long_list == NO_INDEX) return;
    uint64_t **seen = &l->state->needles[t->long_list];
    if (!*seen) *seen = ARENA_ARRAY(l->j->arena, uint64_t, bits_words(t->needle_count));
    bit_set(*seen, w->needle);
}

static void see_watchers(struct look *l, const struct watcher *w)
{
    for (; w; w = w->next) {
        if (w->slot != l->slot) continue;
        see_needle(l, w);
        see(l, w->test);
    }
}

static void see_slot(struct look *l)
{
    const struct watched_slot *s = &l->x->slots[l->slot];
    for (uint32_t i = 0; i < s->test_count; i++) see(l, s->tests[i]);
}

static void see_all(struct look *l)
{
    l->state->all = true;
    memset(l->state->rules, 0xff, bits_words(l->x->rule_count) * sizeof(uint64_t));
}

enum { VAIN_MOST = 100000 }; /* then the text is made of such places, and its patterns are tried */

/* Whether the literal of a pattern goes on here as in the pattern. */
static bool goes_on(const struct look *l, size_t end, char next)
{
    return !next || (end < l->text.n && (l->text.p[end] == next || (unsigned char)l->text.p[end] >= 0x80));
}

static bool on_literal(void *self, uint32_t literal, size_t end)
{
    struct look *l = self;
    for (const struct watcher *w = l->group->watchers.v[literal]; w; w = w->next) {
        if (w->slot != l->slot) continue;
        see_needle(l, w);
        if (bit_has(l->state->tests, w->test)) continue;
        if (goes_on(l, end, w->next_byte))
            see(l, w->test);
        else if (++l->vain == VAIN_MOST)
            return false;
    }
    return true;
}

static void look_up_words(struct look *l, struct str text)
{
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        while (i < text.n && (ascii_is_alpha(text.p[i]) || ascii_is_digit(text.p[i]))) i++;
        if (i > from)
            see_watchers(l, map_get(&l->group->words, str_slice(text, from, i)));
        else
            i++;
    }
}

/* A pattern finds what no literal tells in a text that is no UTF-8, or in letters that only NFKC makes ASCII, which
 * domains are not folded by. */
static bool beyond_literals(struct judgement *j, struct view *v, enum reading r)
{
    uint8_t bit = (uint8_t)(1u << r);
    if (!(v->utf8_raw & bit)) {
        if (!str_is_utf8(view_written(j, v, r))) return true;
        v->utf8_raw |= bit;
    }
    struct str domain = v->address.unicode_domain;
    return (r == READING_ADDRESS || r == READING_DOMAIN) && str_ascii_prefix(domain) < domain.n;
}

static void look_at_texts(struct look *l, struct view *v)
{
    const struct watched_slot *s = &l->x->slots[l->slot];
    for (unsigned r = 0; r < READING_COUNT; r++) {
        unsigned bit = 1u << r;
        if (s->patterned & bit && beyond_literals(l->j, v, (enum reading)r)) see_slot(l);
        if (!((s->searched | s->worded) & bit)) continue;
        struct str text = view_reading(l->j, v, (enum reading)r);
        l->group = group_of(l->x, l->slot, r);
        l->text = text;
        l->vain = 0;
        if (s->searched & bit && !literals_scan(l->group->search, l->x->scratch, text, on_literal, l)) {
            l->state->unsure = true;
            see_slot(l);
        }
        if (s->worded & bit) look_up_words(l, text);
    }
}

static void look_up(struct look *l, struct buf *b, unsigned form, const char *prefix, struct str text)
{
    see_watchers(l, map_get(&l->x->keys, key_of(b, l->slot, (uint8_t)form, prefix, text)));
}

/* A domain, and every "*.b.example" that holds it. */
static void look_up_domain(struct look *l, struct buf *b, unsigned form, bool address, struct str domain)
{
    struct str head, tail = domain;
    look_up(l, b, form, address ? "@" : "", domain);
    while (str_cut(tail, '.', &head, &tail)) look_up(l, b, form, address ? "@*." : "*.", tail);
}

static void look_up_keys(struct look *l, struct buf *b, struct view *v)
{
    uint16_t keyed = l->x->slots[l->slot].keyed;
    for (unsigned r = 0; r < READING_COUNT; r++)
        if (keyed >> r & 1) look_up(l, b, r, "", str_trim(view_reading(l->j, v, (enum reading)r)));
    if (keyed >> KEY_WORD & 1) look_up(l, b, KEY_WORD, "", v->text);
    if (keyed >> KEY_DOMAIN & 1) look_up_domain(l, b, KEY_DOMAIN, false, v->address.domain);
    if (keyed >> KEY_ADDRESS & 1) {
        look_up(l, b, KEY_ADDRESS, "", v->address.whole);
        look_up_domain(l, b, KEY_ADDRESS, true, address_domain(v->address.whole));
    }
}

static void probe(struct look *l, struct view *v)
{
    struct relation_right none = {NULL};
    struct relation_where where;
    for (const struct watcher *w = l->x->slots[l->slot].probes; w; w = w->next)
        if (!bit_has(l->state->tests, w->test) &&
            relation_holds(l->j, &l->x->p->tests[w->test], v, &none, &where) != ANSWER_NO)
            see(l, w->test);
}

static void look_at_slot(struct look *l, uint32_t slot, uint32_t recipient, const struct edits *edits)
{
    const struct values *values = judgement_values(l->j, slot, recipient, edits);
    struct buf b = {0};
    l->slot = slot;
    if (values->trouble != ANSWER_NO) see_slot(l);
    if (values->n) see_watchers(l, l->x->slots[slot].present);
    for (uint32_t i = 0; i < values->n; i++) {
        for (uint32_t k = 0; k < values->v[i].count; k++) {
            struct view *v = &values->v[i].views[k];
            look_at_texts(l, v);
            if (l->x->slots[slot].keyed) look_up_keys(l, &b, v);
            probe(l, v);
            if (v->partial || v->cut_read) see_slot(l);
        }
    }
    buf_free(&b);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

/* The slots of a header name; each is looked at once in each copy. */
static void look_at_header(struct look *l, struct str name, const struct edits *edits)
{
    char lower[80]; /* longer names than a rule can hold on a line are copied */
    struct str key = {lower, name.n};
    if (name.n > sizeof lower) key = lower_case(l->j->arena, name);
    for (size_t i = 0; i < name.n && i < sizeof lower; i++) lower[i] = ascii_lower(name.p[i]);
    for (const struct header_slots *h = map_get(&l->x->headers, key); h; h = h->next) {
        if (!edits && bit_has(l->state->headers, h->slot)) continue;
        if (!edits) bit_set(l->state->headers, h->slot);
        look_at_slot(l, h->slot, 0, edits);
    }
}

static void look_at_headers(struct look *l)
{
    if (!l->x->headers.n) return;
    const struct message_header *h = message_header_section(l->j->in->message);
    for (size_t i = 0; i < h->field_count; i++) look_at_header(l, h->fields[i].name, NULL);
    if (!h->unreadable) return;
    for (size_t i = 0; i < l->x->headers.n; i++) { /* any of them may stand where nobody looked */
        for (const struct header_slots *s = l->x->headers.entries[i].value; s; s = s->next) {
            l->slot = s->slot;
            see_slot(l);
        }
    }
}

/* --- the message, and what rules make of it ----------------------------------------------------------------------- */

static struct look look_new(struct judgement *j)
{
    return (struct look){.j = j, .x = j->program->index, .state = j->index};
}

static void look_at_members(struct look *l)
{
    for (size_t *i = &l->state->members; *i < l->j->members.n; ++*i)
        for (uint32_t k = 0; k < l->x->member_count; k++) look_at_slot(l, l->x->members[k], (uint32_t)*i, NULL);
}

void index_begin(struct judgement *j)
{
    const struct index *x = j->program->index;
    struct index_state *state = j->index = ARENA_NEW(j->arena, struct index_state);
    state->rules = ARENA_ARRAY(j->arena, uint64_t, bits_words(x->rule_count));
    state->tests = ARENA_ARRAY(j->arena, uint64_t, bits_words(x->test_count));
    state->headers = ARENA_ARRAY(j->arena, uint64_t, bits_words(x->p->slot_count));
    if (x->rule_count) memcpy(state->rules, x->always, bits_words(x->rule_count) * sizeof(uint64_t));
    state->needles = ARENA_ARRAY(j->arena, uint64_t *, x->p->long_list_count);
    struct look l = look_new(j);
    for (uint32_t i = 0; i < x->plain_count; i++) look_at_slot(&l, x->plain[i], 0, NULL);
    look_at_headers(&l);
    look_at_members(&l);
}

/* A copy that some rule has just made. */
static void look_at_copy(struct look *l, const struct edits *edits)
{
    struct index_state *s = l->state;
    if (!edits) return;
    for (size_t i = 0; i < s->copy_count; i++)
        if (s->copies[i] == edits) return;
    if (s->copy_count == INDEX_COPIES_MAX) {
        see_all(l);
        return;
    }
    s->copies[s->copy_count++] = edits;
    for (uint32_t i = 0; i < l->x->plain_count; i++)
        if (l->x->p->slots[l->x->plain[i]].by_edits) look_at_slot(l, l->x->plain[i], 0, edits);
    for (const struct edits *e = edits; e && l->x->headers.n; e = edits_before(e))
        look_at_header(l, edits_name(e), edits);
}

void index_update(struct judgement *j)
{
    struct look l = look_new(j);
    if (l.state->all) return;
    look_at_members(&l);
    if (!j->edited || !l.x->edits_matter) return;
    j->edited = false;
    uint32_t members = 0;
    for (uint32_t c = 0; c < j->class_count && !l.state->all; c++) {
        members += j->classes[c].members;
        if (j->classes[c].members) look_at_copy(&l, j->classes[c].edits);
    }
    if (members < j->members.n) see_all(&l); /* some are beyond the classes: all that edits can change is undecided */
}

uint32_t index_next(const struct judgement *j, uint32_t from)
{
    uint32_t n = j->program->index->rule_count;
    for (size_t w = from / 64; from < n; from = (uint32_t)++w * 64) {
        uint64_t bits = j->index->rules[w] >> (from % 64);
        if (bits) return from + (uint32_t)__builtin_ctzll(bits) < n ? from + (uint32_t)__builtin_ctzll(bits) : n;
    }
    return n;
}

bool index_needles(const struct judgement *j, const struct ready_test *t, const uint64_t **out)
{
    *out = NULL;
    if (t->long_list == NO_INDEX || !j->index || j->index->unsure || j->index->all) return false;
    size_t test = (size_t)(t - j->program->tests);
    if (!j->program->index->rules[test] || j->program->index->watches[test].items[0].needle == NO_INDEX) return false;
    *out = j->index->needles[t->long_list];
    return true;
}

/* --- in words ----------------------------------------------------------------------------------------------------- */

void index_print(const struct index *x, uint32_t rule, struct buf *out)
{
    const struct vm_program *p = x->p;
    const struct trigger *t = &x->triggers[rule];
    if (t->none) buf_add(out, STR("  trigger none: tried on every message\n"));
    if (!t->none && !t->count) buf_add(out, STR("  trigger never\n"));
    for (uint32_t i = 0; i < t->count; i++) {
        buf_printf(out, "  %s ", i ? "     or" : "trigger");
        disasm_field(p->program, p->vocabulary->rows, p->tests[t->tests[i]].test->field, out);
        buf_add(out, STR(":"));
        watch_print(&x->watches[t->tests[i]], out);
        buf_add_byte(out, '\n');
    }
}
