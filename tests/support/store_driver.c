#include "tests/support/store_driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

char *directory_temporary(void)
{
    char path[4096];
    const char *base = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/sluice-test-XXXXXX", base && *base ? base : "/tmp");
    INVARIANT(mkdtemp(path) != NULL);
    return mem_strdup(path);
}

static void remove_in(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (unlinkat(fd, entry->d_name, 0) < 0) remove_in(fd, entry->d_name);
    }
    if (d) closedir(d);
    unlinkat(parent, name, AT_REMOVEDIR);
}

void directory_remove(const char *path) { remove_in(AT_FDCWD, path); }

static void on_fatal(void *owner, const struct err *e)
{
    struct driver *d = owner;
    d->fatal = true;
    d->fatal_err = *e;
}

bool driver_open(struct driver *d, const char *state_dir, const struct store_options *options, struct err *e)
{
    memset(d, 0, sizeof *d);
    d->store = store_open(state_dir, options, e);
    if (!d->store) return false;
    d->port = store_port_of(d->store);
    d->content = store_content_of(d->store);
    store_on_fatal(d->store, on_fatal, d);
    return true;
}

void driver_close(struct driver *d) { store_close(&d->store); }

void driver_turn(struct driver *d)
{
    struct pollfd p = {.fd = store_event_fd(d->store), .events = POLLIN};
    INVARIANT(poll(&p, 1, PATIENCE_MS) == 1);
    store_drain(d->store);
}

void driver_run(struct driver *d)
{
    while (d->pending) driver_turn(d);
}

static void on_done(void *owner, bool ok, const struct err *e)
{
    struct answer *a = owner;
    INVARIANT(!a->answered);
    a->answered = true;
    a->ok = ok;
    if (!ok) a->err = *e;
    a->driver->pending--;
}

void driver_write(struct driver *d, struct store_write *w, struct answer *a)
{
    *a = (struct answer){.driver = d};
    w->done = on_done;
    w->owner = a;
    d->pending++;
    d->port.write(d->port.self, w);
}

void driver_change(struct driver *d, struct store_change *r, struct answer *a)
{
    *a = (struct answer){.driver = d};
    r->done = on_done;
    r->owner = a;
    d->pending++;
    d->port.change(d->port.self, r);
}

void driver_query(struct driver *d, struct store_query *q, struct answer *a)
{
    *a = (struct answer){.driver = d};
    q->done = on_done;
    q->owner = a;
    d->pending++;
    d->port.query(d->port.self, q);
}

static struct pieces pieces_copy(struct arena *a, struct pieces p)
{
    struct piece *v = ARENA_ARRAY(a, struct piece, p.n ? p.n : 1);
    for (size_t i = 0; i < p.n; i++) {
        v[i] = p.v[i];
        if (v[i].insert.p) v[i].insert = arena_str(a, v[i].insert);
    }
    return (struct pieces){v, p.n};
}

static void on_message(void *owner, const struct stored_message *m)
{
    struct read_back *r = owner;
    if (r->message_count == r->message_room) {
        r->message_room = r->message_room ? 2 * r->message_room : 8;
        r->messages = mem_grow(r->messages, r->message_room, sizeof *r->messages);
    }
    struct stored_message *out = &r->messages[r->message_count++];
    struct arena *a = r->arena;
    *out = *m;
    out->queue_id = arena_str(a, m->queue_id);
    out->reverse_path = arena_str(a, m->reverse_path);
    out->client_ip = arena_str(a, m->client_ip);
    out->helo = arena_str(a, m->helo);
    out->content = arena_str(a, m->content);
    out->spool = arena_str(a, m->spool);
    out->envid = arena_str(a, m->envid);
    out->evidence = arena_str(a, m->evidence);
    struct stored_copy *copies = ARENA_ARRAY(a, struct stored_copy, m->copy_count + 1);
    for (size_t i = 0; i < m->copy_count; i++) {
        copies[i] = m->copies[i];
        copies[i].pieces = pieces_copy(a, m->copies[i].pieces);
    }
    out->copies = copies;
    out->recipients = ARENA_ARRAY(a, struct stored_recipient, m->recipient_count + 1);
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct stored_recipient *to = &out->recipients[i];
        *to = m->recipients[i];
        to->address = arena_str(a, to->address);
        to->connector = arena_str(a, to->connector);
        to->rule = arena_str(a, to->rule);
        to->tls_rule = arena_str(a, to->tls_rule);
        to->reason = arena_str(a, to->reason);
        to->orcpt = arena_str(a, to->orcpt);
    }
}

static void on_rule(void *owner, struct str rule, const uint64_t counts[5], int64_t last)
{
    struct read_back *r = owner;
    INVARIANT(r->rule_count < sizeof r->rules / sizeof *r->rules);
    r->rules[r->rule_count].rule = arena_str(r->arena, rule);
    memcpy(r->rules[r->rule_count].counts, counts, sizeof r->rules->counts);
    r->rules[r->rule_count++].last = last;
}

static void on_due(void *owner, const struct due_entry *v, size_t n)
{
    struct read_back *r = owner;
    for (size_t i = 0; i < n; i++) VEC_PUSH(&r->due, v[i]);
}

static void on_count(void *owner, const uint64_t by_state[RECIPIENT_STATE_COUNT])
{
    struct read_back *r = owner;
    memcpy(r->states, by_state, sizeof r->states);
}

static void read_one(struct driver *d, struct store_query *q, struct read_back *out)
{
    memset(out, 0, sizeof *out);
    out->arena = arena_create();
    q->message = on_message;
    q->rule = on_rule;
    q->due = on_due;
    q->count = on_count;
    driver_query(d, q, &out->answer);
    while (!out->answer.answered) driver_turn(d);
}

void driver_read(struct driver *d, int kind, struct str queue_id, struct read_back *out)
{
    struct store_query q = {.kind = kind, .queue_id = queue_id, .filter = {.queue_id = queue_id}};
    read_one(d, &q, out);
}

void driver_read_filter(struct driver *d, const struct queue_filter *f, struct read_back *out)
{
    struct store_query q = {.kind = QUERY_QUEUE, .filter = *f};
    read_one(d, &q, out);
}

void read_back_free(struct read_back *r)
{
    arena_free(&r->arena);
    free(r->messages);
    VEC_FREE(&r->due);
    memset(r, 0, sizeof *r);
}

struct stored_message plain_message(struct str queue_id, struct str content, struct stored_recipient *r)
{
    *r = (struct stored_recipient){.address = STR("to@example.net"), .next_try = 1000, .expires = 2000};
    return (struct stored_message){
        .queue_id = queue_id,
        .arrived = 900,
        .reverse_path = STR("from@example.org"),
        .client_ip = STR("192.0.2.1"),
        .helo = STR("client.example.org"),
        .size = content.n,
        .content = content,
        .generation = 7,
        .recipients = r,
        .recipient_count = 1,
    };
}
