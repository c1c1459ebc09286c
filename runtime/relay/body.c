#include "relay/body.h"

#include <stdlib.h>

#include "judge/protocol.h"

struct body {
    struct relay *relay;
    struct buf bytes;
    struct content_file *file;
    struct str queue_id, view;
    uint64_t size, charged;
    unsigned refs;
    bool sealed;
};

static struct body *create(struct relay *r)
{
    struct body *b = mem_alloc(sizeof *b);
    b->relay = r;
    b->refs = 1;
    return b;
}

static void charge(struct body *b, uint64_t bytes)
{
    b->charged += bytes;
    relay_memory_take(b->relay, bytes);
}

struct body *body_create(struct relay *r, struct str queue_id, uint64_t expected)
{
    struct body *b = create(r);
    b->queue_id = queue_id;
    uint64_t room = expected + 1024;
    if (expected > PROTOCOL_INLINE_MAX - 1024) room = PROTOCOL_INLINE_MAX;
    if (expected == 0) room = 8 * 1024;
    buf_reserve(&b->bytes, (size_t)room);
    return b;
}

static bool move_to_file(struct body *b, struct err *e)
{
    const struct content_port *port = b->relay->content;
    b->file = port->create(port->self, b->queue_id, e);
    if (!b->file) return false;
    if (!port->append(port->self, b->file, buf_str(&b->bytes), e)) return false;
    buf_free(&b->bytes);
    return true;
}

bool body_append(struct body *b, struct str bytes, struct err *e)
{
    INVARIANT(!b->sealed);
    if (!b->file && b->bytes.n + bytes.n > PROTOCOL_INLINE_MAX && !move_to_file(b, e)) return false;
    if (b->file) {
        if (!b->relay->content->append(b->relay->content->self, b->file, bytes, e)) return false;
    } else {
        buf_add(&b->bytes, bytes);
    }
    b->size += bytes.n;
    charge(b, bytes.n);
    return true;
}

bool body_seal(struct body *b, size_t inline_most, struct err *e)
{
    const struct content_port *port = b->relay->content;
    if (!b->file && b->bytes.n > inline_most && !move_to_file(b, e)) return false;
    b->sealed = true;
    if (!b->file) {
        b->view = buf_str(&b->bytes);
        return true;
    }
    if (!port->seal(port->self, b->file, e)) return false;
    b->view = port->view(port->self, b->file);
    INVARIANT(b->view.n == b->size);
    return true;
}

struct body *body_of_bytes(struct relay *r, struct str bytes)
{
    struct body *b = create(r);
    buf_reserve(&b->bytes, bytes.n + 1);
    buf_add(&b->bytes, bytes);
    b->view = buf_str(&b->bytes);
    b->size = bytes.n;
    b->sealed = true;
    charge(b, b->size);
    return b;
}

struct body *body_of_file(struct relay *r, struct content_file *f)
{
    struct body *b = create(r);
    b->file = f;
    b->view = r->content->view(r->content->self, f);
    b->size = b->view.n;
    b->sealed = true;
    charge(b, b->size);
    return b;
}

struct str body_view(const struct body *b)
{
    INVARIANT(b->sealed);
    return b->view;
}

uint64_t body_size(const struct body *b) { return b->size; }
bool body_is_inline(const struct body *b) { return b->file == NULL; }

int body_descriptor(const struct body *b)
{
    return b->file ? b->relay->content->descriptor(b->relay->content->self, b->file) : -1;
}

struct str body_spool(const struct body *b)
{
    return b->file ? b->relay->content->spool(b->relay->content->self, b->file) : STR_NONE;
}

void body_keep(struct body *b)
{
    if (b->file) b->relay->content->keep(b->relay->content->self, b->file);
}

struct body *body_ref(struct body *b)
{
    b->refs++;
    return b;
}

void body_unref(struct body **at)
{
    struct body *b = *at;
    *at = NULL;
    if (!b || --b->refs) return;
    if (b->file) b->relay->content->free(b->relay->content->self, b->file);
    buf_free(&b->bytes);
    struct relay *r = b->relay;
    uint64_t charged = b->charged;
    free(b);
    relay_memory_give(r, charged);
}
