/* The store and large content, in memory: rows are deep copies, answers come in memory_run. */
#include <string.h>

#include "tests/support/memory_impl.h"

enum request_kind { REQUEST_WRITE, REQUEST_QUERY, REQUEST_CHANGE };
struct request {
    enum request_kind kind;
    void *what;
};

static void submit(struct memory *m, enum request_kind kind, void *what)
{
    struct request *r = mem_alloc(sizeof *r);
    *r = (struct request){kind, what};
    VEC_PUSH(&m->impl->requests, r);
}

static void port_write(void *self, struct store_write *w) { submit(self, REQUEST_WRITE, w); }
static void port_query(void *self, struct store_query *q)
{
    ((struct memory *)self)->loads += q->kind == QUERY_LOAD;
    submit(self, REQUEST_QUERY, q);
}
static void port_change(void *self, struct store_change *c) { submit(self, REQUEST_CHANGE, c); }
static void port_watch(void *self, void (*damaged)(void *owner, struct str queue_id, const struct err *e), void *owner)
{
    struct memory *m = self;
    m->impl->damaged = damaged;
    m->impl->damaged_owner = owner;
}

static void port_secret(void *self, uint8_t out[STORE_SECRET_SIZE])
{
    (void)self;
    memset(out, 7, STORE_SECRET_SIZE);
}

static struct store_space port_space(void *self)
{
    struct memory *m = self;
    return (struct store_space){.free_bytes = m->free_bytes, .queued_messages = m->impl->messages.n};
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static struct stored_message *copy_message(struct memory *m, const struct stored_message *from)
{
    struct arena *a = m->impl->arena;
    struct stored_message *to = ARENA_NEW(a, struct stored_message);
    *to = *from;
    to->queue_id = arena_str(a, from->queue_id);
    to->reverse_path = arena_str(a, from->reverse_path);
    to->envid = arena_str(a, from->envid);
    to->client_ip = arena_str(a, from->client_ip);
    to->helo = arena_str(a, from->helo);
    to->content = arena_str(a, from->content);
    to->evidence = arena_str(a, from->evidence);
    to->spool = STR_NONE;
    struct stored_copy *copies = ARENA_ARRAY(a, struct stored_copy, from->copy_count);
    for (size_t i = 0; i < from->copy_count; i++) {
        copies[i] = from->copies[i];
        copies[i].pieces.v = ARENA_ARRAY(a, struct piece, copies[i].pieces.n);
        for (size_t k = 0; k < copies[i].pieces.n; k++) {
            copies[i].pieces.v[k] = from->copies[i].pieces.v[k];
            if (copies[i].pieces.v[k].insert.p)
                copies[i].pieces.v[k].insert = arena_str(a, copies[i].pieces.v[k].insert);
        }
    }
    to->copies = copies;
    to->recipients = ARENA_ARRAY(a, struct stored_recipient, from->recipient_count);
    for (size_t i = 0; i < from->recipient_count; i++) {
        struct stored_recipient *r = &to->recipients[i];
        if (i == 0) m->impl->next_message++;
        from->recipients[i].id = (m->impl->next_message << STORE_RECIPIENT_BITS) + (int64_t)i;
        *r = from->recipients[i];
        r->address = arena_str(a, r->address);
        r->connector = arena_str(a, r->connector);
        r->rule = arena_str(a, r->rule);
        r->tls_rule = arena_str(a, r->tls_rule);
        r->reason = arena_str(a, r->reason);
        r->orcpt = arena_str(a, r->orcpt);
    }
    return to;
}

static void remove_recipient(struct memory *m, size_t at, size_t i)
{
    struct stored_message *row = m->impl->messages.v[at];
    for (size_t k = i + 1; k < row->recipient_count; k++) row->recipients[k - 1] = row->recipients[k];
    if (--row->recipient_count) return;
    for (size_t k = at + 1; k < m->impl->messages.n; k++) m->impl->messages.v[k - 1] = m->impl->messages.v[k];
    m->impl->messages.n--;
}

static void apply(struct memory *m, const struct outcome *o)
{
    for (size_t at = 0; at < m->impl->messages.n; at++) {
        struct stored_message *row = m->impl->messages.v[at];
        for (size_t i = 0; i < row->recipient_count; i++) {
            struct stored_recipient *r = &row->recipients[i];
            if (r->id != o->recipient) continue;
            if (o->kind == OUTCOME_DONE) {
                remove_recipient(m, at, i);
                return;
            }
            r->reason = arena_str(m->impl->arena, o->reason);
            if (o->kind != OUTCOME_RETRY) {
                r->state = o->kind == OUTCOME_HELD ? RECIPIENT_HELD : RECIPIENT_DAMAGED;
                return;
            }
            r->waited = o->waited;
            r->noticed = o->noticed;
            r->attempts = o->attempts;
            r->next_try = o->next_try;
            return;
        }
    }
    /* Removed by hand in the meantime. */
}

static struct mem_rule *rule_of(struct memory *m, struct str name)
{
    for (size_t i = 0; i < m->impl->rules.n; i++)
        if (str_eq(str_of(m->impl->rules.v[i].name), name)) return &m->impl->rules.v[i];
    struct mem_rule fresh = {0};
    INVARIANT(name.n < sizeof fresh.name);
    memcpy(fresh.name, name.p, name.n);
    VEC_PUSH(&m->impl->rules, fresh);
    return &m->impl->rules.v[m->impl->rules.n - 1];
}

/* Lists: a row of the memory store is one entry; equal keys replace one another. */
static void run_list(struct memory *m, const struct stored_list_change *c)
{
    struct arena *a = m->impl->arena;
    for (size_t i = 0; i < c->add_count + c->remove_count; i++) {
        bool add = i < c->add_count;
        struct str key = add ? c->add[i].key : c->remove[i - c->add_count];
        struct mem_entry *found = NULL;
        for (size_t k = 0; k < m->impl->entries.n; k++) {
            struct mem_entry *e = &m->impl->entries.v[k];
            if (str_eq(e->list, c->list) && str_eq(e->entry.key, key)) found = e;
        }
        if (!found && add) {
            VEC_PUSH(&m->impl->entries,
                     (struct mem_entry){.list = arena_str(a, c->list), .type = arena_str(a, c->type)});
            found = &m->impl->entries.v[m->impl->entries.n - 1];
        }
        if (!found) continue;
        if (add) found->entry = (struct stored_entry){arena_str(a, key), arena_str(a, c->add[i].entry)};
        found->gone = !add;
    }
    m->impl->list_revision = c->revision;
}

static void run_write(struct memory *m, struct store_write *w)
{
    struct err e = {0};
    m->writes++;
    if (m->store_fails) {
        err_set(&e, 74, "the disk is gone");
        w->done(w->owner, false, &e);
        return;
    }
    for (size_t i = 0; i < w->message_count; i++) VEC_PUSH(&m->impl->messages, copy_message(m, &w->messages[i]));
    for (size_t i = 0; i < w->outcome_count; i++) apply(m, &w->outcomes[i]);
    for (size_t i = 0; i < w->hit_count; i++)
        for (unsigned bit = 0; bit < 5; bit++)
            if (w->hits[i].what & (1u << bit)) rule_of(m, w->hits[i].rule)->counts[bit] += w->hits[i].count;
    for (size_t i = 0; i < w->audit_count; i++)
        VEC_PUSH(&m->impl->audits, arena_cstr(m->impl->arena, w->audit[i].what));
    for (size_t i = 0; i < w->list_count; i++) run_list(m, &w->lists[i]);
    w->done(w->owner, true, NULL);
}

static void read_lists(struct memory *m, struct store_query *q)
{
    for (size_t i = 0; i < m->impl->entries.n; i++) {
        const struct mem_entry *first = &m->impl->entries.v[i];
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= str_eq(m->impl->entries.v[k].list, first->list);
        if (seen) continue;
        VEC(struct stored_entry) all = {0};
        for (size_t k = i; k < m->impl->entries.n; k++) {
            const struct mem_entry *e = &m->impl->entries.v[k];
            if (e->gone || !str_eq(e->list, first->list)) continue;
            VEC_PUSH(&all, e->entry);
            for (size_t j = all.n - 1; j > 0 && str_cmp(all.v[j].key, all.v[j - 1].key) < 0; j--) {
                struct stored_entry other = all.v[j];
                all.v[j] = all.v[j - 1];
                all.v[j - 1] = other;
            }
        }
        q->list(q->owner, &(struct stored_list){first->list, first->type, m->impl->list_revision, all.v, all.n});
        VEC_FREE(&all);
    }
}

static bool is_asked(const struct store_query *q, const struct stored_message *m)
{
    int64_t id = store_message_of(m->recipients[0].id);
    struct str wanted = q->kind == QUERY_MESSAGE ? q->queue_id : q->filter.queue_id;
    if (q->kind != QUERY_LOAD) return !wanted.n || str_eq(m->queue_id, wanted);
    for (size_t i = 0; i < q->id_count; i++)
        if (q->ids[i] == id) return true;
    return false;
}

/* Of the filter, what tests of relay/ ask for: patterns are the real store's. */
static bool passes(const struct store_query *q, const struct stored_recipient *r)
{
    if (q->kind == QUERY_LOAD) return r->state == RECIPIENT_QUEUED;
    if (q->kind != QUERY_QUEUE) return true;
    if (q->filter.states && !(q->filter.states >> r->state & 1)) return false;
    return !q->filter.recipient.n || str_eq_nocase(q->filter.recipient, r->address);
}

static void tell_message(const struct store_query *q, const struct stored_message *row)
{
    struct stored_message view = *row;
    struct stored_recipient *list = mem_array(row->recipient_count, sizeof *list);
    view.recipients = list;
    view.recipient_count = 0;
    for (size_t i = 0; i < row->recipient_count; i++)
        if (passes(q, &row->recipients[i])) list[view.recipient_count++] = row->recipients[i];
    if (q->kind != QUERY_MESSAGE) view.content = STR_NONE;
    if (view.recipient_count) q->message(q->owner, &view);
    free(list);
}

static struct stored_user *find_user(struct memory *m, struct str name)
{
    for (size_t i = 0; i < m->impl->users.n; i++)
        if (str_eq(m->impl->users.v[i].name, name)) return &m->impl->users.v[i];
    return NULL;
}

static void run_user_query(struct memory *m, struct store_query *q)
{
    struct err e = {0};
    m->user_queries++;
    if (m->store_fails) {
        err_set(&e, 74, "the disk is gone");
        q->done(q->owner, false, &e);
        return;
    }
    const struct stored_user *u = find_user(m, q->user_name);
    if (q->kind == QUERY_USER && u) q->user(q->owner, u, q->password.p && scram_password_is(&u->secret, q->password));
    for (size_t i = 0; q->kind == QUERY_USERS && i < m->impl->users.n; i++)
        q->user(q->owner, &m->impl->users.v[i], false);
    q->done(q->owner, true, NULL);
}

static void run_query(struct memory *m, struct store_query *q)
{
    uint64_t states[RECIPIENT_STATE_COUNT] = {0};
    bool found = false;
    if (q->kind == QUERY_USER || q->kind == QUERY_USERS) {
        run_user_query(m, q);
        return;
    }
    if (q->kind == QUERY_LISTS && q->list) read_lists(m, q);
    for (size_t i = 0; i < m->impl->messages.n; i++) {
        struct stored_message *row = m->impl->messages.v[i];
        for (size_t k = 0; k < row->recipient_count; k++) {
            const struct stored_recipient *r = &row->recipients[k];
            states[r->state]++;
            if (q->due && r->state == RECIPIENT_QUEUED)
                q->due(q->owner, &(struct due_entry){r->id, r->next_try}, 1);
        }
        if (!q->message || !is_asked(q, row)) continue;
        found = true;
        tell_message(q, row);
    }
    if (q->count) q->count(q->owner, states);
    for (size_t i = 0; q->rule && i < m->impl->rules.n; i++)
        q->rule(q->owner, str_of(m->impl->rules.v[i].name), m->impl->rules.v[i].counts, 1);
    struct err e = {0};
    bool missing = !found && ((q->kind == QUERY_QUEUE && q->filter.queue_id.n) || q->kind == QUERY_MESSAGE);
    if (missing) err_set(&e, 66, "there is no message of that id");
    q->done(q->owner, !missing, missing ? &e : NULL);
}

static struct stored_recipient *find_row(struct memory *m, int64_t id, size_t *message, size_t *at)
{
    for (*message = 0; *message < m->impl->messages.n; ++*message) {
        struct stored_message *row = m->impl->messages.v[*message];
        for (*at = 0; *at < row->recipient_count; ++*at)
            if (row->recipients[*at].id == id) return &row->recipients[*at];
    }
    return NULL;
}

static void change_one(struct memory *m, struct store_change *c, int64_t id)
{
    size_t message, at;
    struct stored_recipient *r = find_row(m, id, &message, &at);
    bool only_queued = c->kind == CHANGE_HOLD || c->kind == CHANGE_RETRY;
    if (!r || (only_queued && r->state != RECIPIENT_QUEUED)) return;
    c->changed++;
    struct str text = arena_str(m->impl->arena, c->text);
    switch (c->kind) {
    case CHANGE_RELEASE:
        r->state = RECIPIENT_QUEUED;
        r->next_try = c->now;
        break;
    case CHANGE_HOLD:
    case CHANGE_DAMAGED:
        r->state = c->kind == CHANGE_HOLD ? RECIPIENT_HELD : RECIPIENT_DAMAGED;
        r->reason = text;
        break;
    case CHANGE_RETRY: r->next_try = c->now; break;
    case CHANGE_REMOVE: remove_recipient(m, message, at); break;
    case CHANGE_REDIRECT:
        r->address = text;
        r->state = RECIPIENT_QUEUED;
        r->next_try = c->now;
        break;
    default: break;
    }
}

static void change_user(struct memory *m, struct store_change *c)
{
    struct stored_user *u = find_user(m, c->user.name);
    struct err e = {0};
    bool add = c->kind == CHANGE_USER_ADD;
    if (add == (u != NULL)) {
        err_set(&e, add ? 73 : 66, add ? "there is a user of that name already" : "there is no such user");
        c->done(c->owner, false, &e);
        return;
    }
    if (add) {
        VEC_PUSH(&m->impl->users, c->user);
        u = &m->impl->users.v[m->impl->users.n - 1];
        u->name = arena_str(m->impl->arena, c->user.name);
        u->created = c->now;
    } else if (c->kind == CHANGE_USER_PASSWORD) {
        u->secret = c->user.secret;
    } else if (c->kind == CHANGE_USER_REMOVE) {
        *u = m->impl->users.v[--m->impl->users.n];
    } else {
        u->disabled = c->kind == CHANGE_USER_DISABLE;
    }
    c->done(c->owner, true, NULL);
}

static void run_change(struct memory *m, struct store_change *c)
{
    c->changed = 0;
    if (c->kind >= CHANGE_USER_ADD) {
        change_user(m, c);
        return;
    }
    if (c->kind == CHANGE_SUSPEND) c->suspension.id = ++m->impl->next_message;
    for (size_t i = 0; i < c->recipient_count; i++) change_one(m, c, c->recipients[i]);
    c->done(c->owner, true, NULL);
}

bool memory_store_step(struct memory *m)
{
    if (!m->impl->requests.n || m->store_waits) return false;
    struct request *r = m->impl->requests.v[0];
    for (size_t i = 1; i < m->impl->requests.n; i++) m->impl->requests.v[i - 1] = m->impl->requests.v[i];
    m->impl->requests.n--;
    if (r->kind == REQUEST_WRITE)
        run_write(m, r->what);
    else if (r->kind == REQUEST_QUERY)
        run_query(m, r->what);
    else
        run_change(m, r->what);
    free(r);
    return true;
}

size_t memory_stored(const struct memory *m) { return m->impl->messages.n; }
const struct stored_message *memory_message(const struct memory *m, size_t i) { return m->impl->messages.v[i]; }

uint64_t memory_hits(const struct memory *m, const char *rule, unsigned column)
{
    for (size_t i = 0; i < m->impl->rules.n; i++)
        if (strcmp(m->impl->rules.v[i].name, rule) == 0) return m->impl->rules.v[i].counts[column];
    return 0;
}

size_t memory_audited(const struct memory *m, const char *what)
{
    size_t n = 0;
    for (size_t i = 0; i < m->impl->audits.n; i++) n += strcmp(m->impl->audits.v[i], what) == 0;
    return n;
}

/* --- content ------------------------------------------------------------------------------------------------------ */

struct content_file {
    struct buf bytes;
    struct memory *memory;
    int fd;
};

static struct content_file *content_create(void *self, struct str queue_id, struct err *e)
{
    (void)queue_id, (void)e;
    struct content_file *f = mem_alloc(sizeof *f);
    f->memory = self;
    f->fd = -1;
    return f;
}
static bool content_append(void *self, struct content_file *f, struct str bytes, struct err *e)
{
    (void)self, (void)e;
    buf_add(&f->bytes, bytes);
    return true;
}
static bool content_seal(void *self, struct content_file *f, struct err *e)
{
    (void)e;
    f->fd = memory_file(self, buf_str(&f->bytes));
    return true;
}
static struct str content_view(void *self, struct content_file *f)
{
    (void)self;
    return buf_str(&f->bytes);
}
static int content_descriptor(void *self, struct content_file *f)
{
    (void)self;
    return f->fd;
}
static struct str content_spool(void *self, struct content_file *f)
{
    (void)self, (void)f;
    return STR_NONE;
}
static void content_keep(void *self, struct content_file *f) { (void)self, (void)f; }
static void content_free(void *self, struct content_file *f)
{
    (void)self;
    if (!f) return;
    buf_free(&f->bytes);
    free(f);
}

static bool content_fetch(void *self, int fd, size_t most, struct buf *out, struct err *e)
{
    struct mem_fd *f = memory_fd(self, fd);
    INVARIANT(f->kind == FD_FILE);
    f->kind = FD_NONE;
    if (f->bytes.n > most) return err_set(e, 65, "too large");
    buf_add(out, buf_str(&f->bytes));
    return true;
}

static void content_discard(void *self, int fd)
{
    INVARIANT(memory_fd(self, fd)->kind != FD_NONE);
    memory_fd(self, fd)->kind = FD_NONE;
}

static int content_share(void *self, struct str bytes, struct err *e)
{
    (void)e;
    return memory_file(self, bytes);
}

int memory_file(struct memory *m, struct str bytes)
{
    struct mem_fd fd = {.kind = FD_FILE};
    buf_add(&fd.bytes, bytes);
    return memory_fd_new(m, fd);
}

int memory_socket(struct memory *m, const char *name)
{
    return memory_fd_new(m, (struct mem_fd){.kind = FD_SOCKET, .name = name});
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

void memory_store_init(struct memory *m)
{
    m->store = (struct store_port){.self = m,
                                   .write = port_write,
                                   .query = port_query,
                                   .change = port_change,
                                   .watch = port_watch,
                                   .space = port_space,
                                   .secret = port_secret};
    m->content = (struct content_port){.self = m,
                                       .create = content_create,
                                       .append = content_append,
                                       .seal = content_seal,
                                       .view = content_view,
                                       .descriptor = content_descriptor,
                                       .spool = content_spool,
                                       .keep = content_keep,
                                       .free = content_free,
                                       .fetch = content_fetch,
                                       .discard = content_discard,
                                       .share = content_share};
}

struct memory *memory_create(void)
{
    struct memory *m = mem_alloc(sizeof *m);
    m->impl = mem_alloc(sizeof *m->impl);
    m->impl->arena = arena_create();
    m->impl->seed = 42;
    m->utc_us = 1795474800ll * 1000000;
    m->mono_us = 1000000;
    m->free_bytes = UINT64_C(1) << 40;
    memory_net_init(m);
    memory_store_init(m);
    return m;
}

void memory_crash(struct memory *m)
{
    struct impl *im = m->impl;
    for (struct net_stream *s = im->streams; s; s = s->next) s->closed = true;
    for (struct mem_timer *t = im->timers, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    for (struct mem_listener *l = im->listeners, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    for (struct peer *p = im->peers, *next; p; p = next) {
        next = p->next;
        free(p->channel);
        free(p);
    }
    for (struct parcel *p = im->parcels, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    for (size_t i = 0; i < im->requests.n; i++) free(im->requests.v[i]);
    im->requests.n = 0;
    im->timers = NULL;
    im->listeners = NULL;
    im->peers = NULL;
    im->parcels = NULL;
    im->parcels_end = &im->parcels;
}

void memory_free(struct memory **at)
{
    struct memory *m = *at;
    struct impl *im = m->impl;
    *at = NULL;
    memory_crash(m);
    for (struct net_stream *s = im->streams, *next; s; s = next) {
        next = s->next;
        buf_free(&s->in);
        buf_free(&s->later);
        buf_free(&s->out);
        free(s);
    }
    for (size_t i = 0; i < im->fds.n; i++) buf_free(&im->fds.v[i].bytes);
    for (size_t i = 0; i < sizeof m->servers / sizeof *m->servers; i++) {
        for (size_t k = 0; k < m->servers[i].mail_count; k++) {
            buf_free(&m->servers[i].mail[k].from);
            buf_free(&m->servers[i].mail[k].to);
            buf_free(&m->servers[i].mail[k].data);
        }
        buf_free(&m->servers[i].clear);
        buf_free(&m->servers[i].logins);
    }
    VEC_FREE(&im->requests);
    VEC_FREE(&im->fds);
    VEC_FREE(&im->messages);
    VEC_FREE(&im->rules);
    VEC_FREE(&im->audits);
    VEC_FREE(&im->entries);
    VEC_FREE(&im->users);
    arena_free(&im->arena);
    buf_free(&m->supervisor);
    buf_free(&m->said);
    free(im);
    free(m);
}
