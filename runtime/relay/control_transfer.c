/* The control socket's operations that move messages: export, import, backup.
 *
 * An exported message is rows: one "message", a "copy" for each delivered form, a "recipient" for each, then its bytes
 * in parts: "content", base64.  Imported it is the same rows, one a request, between "queue import begin" and "…
 * end"; what comes is as hostile as everything on this socket: hashes, pieces and obligations are held to what they
 * must be, and nothing is stored that a delivery would not find sound. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/base64.h"
#include "base/digest.h"
#include "mail/address.h"
#include "mail/evidence.h"
#include "mail/orcpt.h"
#include "mail/queue_id.h"
#include "mail/xtext.h"
#include "relay/body.h"
#include "relay/control_core.h"
#include "relay/events.h"
#include "relay/generation.h"

enum {
    PART_BYTES = 30 * 1024,  /* of content in one row */
    WRITE_HIGH = 256 * 1024, /* waiting for the reader: net/port */
    IMPORT_RECIPIENTS_MAX = 100000,
    IMPORT_COPIES_MAX = 100000
};

struct transfer {
    struct arena *arena;
    /* export */
    struct buf bytes;          /* the content, or */
    struct content_file *file; /* … the spool file that holds it */
    struct str rest;           /* what is still to be sent */
    bool sending;
    /* import */
    struct stored_message message;
    VEC(struct stored_recipient) recipients;
    VEC(struct stored_copy) copies;
    int64_t wanted_recipients, wanted_copies;
    struct body *body;
    struct stored_audit audit;
    struct store_write write;
};

void control_transfer_free(struct client *c)
{
    struct transfer *t = c->transfer;
    c->transfer = NULL;
    if (!t) return;
    if (t->file) c->relay->content->free(c->relay->content->self, t->file);
    body_unref(&t->body);
    buf_free(&t->bytes);
    VEC_FREE(&t->recipients);
    VEC_FREE(&t->copies);
    arena_free(&t->arena);
    free(t);
}

static struct transfer *transfer_begin(struct client *c)
{
    control_transfer_free(c);
    c->transfer = mem_alloc(sizeof *c->transfer);
    c->transfer->arena = arena_create();
    return c->transfer;
}

static void put_base64(struct js *o, const char *key, struct str bytes)
{
    struct buf text = {0};
    base64_encode(bytes, &text);
    js_put_str(o, key, buf_str(&text));
    buf_free(&text);
}

static void put_hash(struct js *o, const uint8_t hash[DIGEST_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    digest_hex(hash, hex);
    js_put_cstr(o, "sha256", hex);
}

/* --- export ------------------------------------------------------------------------------------------------------- */

static void export_head(struct client *c, const struct stored_message *m)
{
    struct js *row = js_object(), *o = js_object();
    js_put_str(o, "queue_id", m->queue_id);
    js_put_num(o, "arrived", m->arrived);
    js_put_str(o, "sender", m->reverse_path);
    js_put_str(o, "client", m->client_ip);
    js_put_str(o, "helo", m->helo);
    js_put_num(o, "size", (int64_t)m->size);
    put_hash(o, m->sha256);
    js_put_bool(o, "eight_bit", m->eight_bit);
    js_put_bool(o, "binary", m->binary);
    js_put_bool(o, "smtputf8", m->smtputf8);
    js_put_bool(o, "report", m->relay_made);
    js_put_str(o, "envid", m->envid);
    js_put_num(o, "ret", m->ret);
    js_put_num(o, "generation", (int64_t)m->generation);
    put_base64(o, "evidence", m->evidence);
    js_put_num(o, "copies", (int64_t)m->copy_count);
    js_put_num(o, "recipients", (int64_t)m->recipient_count);
    js_put(row, "message", o);
    control_row(c, row);
}

static void export_copy(struct client *c, const struct stored_copy *copy)
{
    struct js *row = js_object(), *o = js_object(), *pieces = js_array();
    for (size_t i = 0; i < copy->pieces.n; i++) {
        const struct piece *p = &copy->pieces.v[i];
        struct js *one = js_object();
        if (p->insert.p) {
            put_base64(one, "insert", p->insert);
        } else {
            js_put_num(one, "from", (int64_t)p->from);
            js_put_num(one, "to", (int64_t)p->to);
        }
        js_add(pieces, one);
    }
    js_put_num(o, "length", (int64_t)copy->length);
    put_hash(o, copy->sha256);
    js_put(o, "pieces", pieces);
    js_put(row, "copy", o);
    control_row(c, row);
}

static void export_recipient(struct client *c, const struct stored_recipient *r)
{
    char tls[OBLIGATION_TEXT_MAX];
    size_t n = obligation_print(r->need, tls);
    struct js *row = js_object(), *o = js_object();
    js_put_str(o, "address", r->address);
    js_put_num(o, "state", r->state);
    js_put_str(o, "tls", (struct str){tls, n});
    js_put_num(o, "copy", r->copy);
    js_put_str(o, "connector", r->connector);
    js_put_str(o, "rule", r->rule);
    js_put_str(o, "tls_rule", r->tls_rule);
    js_put_str(o, "reason", r->reason);
    js_put_num(o, "attempts", r->attempts);
    js_put_num(o, "next_try", r->next_try);
    js_put_num(o, "expires", r->expires);
    js_put_num(o, "waited", r->waited);
    js_put_bool(o, "delay_told", r->noticed);
    js_put_num(o, "notify", r->notify);
    js_put_str(o, "orcpt", r->orcpt);
    js_put(row, "recipient", o);
    control_row(c, row);
}

static void export_message(void *owner, const struct stored_message *m)
{
    struct client *c = owner;
    struct transfer *t = c->transfer;
    const struct content_port *content = c->relay->content;
    struct err e = {0};
    export_head(c, m);
    for (size_t i = 0; i < m->copy_count; i++) export_copy(c, &m->copies[i]);
    for (size_t i = 0; i < m->recipient_count; i++) export_recipient(c, &m->recipients[i]);
    if (m->spool.n && !m->content.n) {
        t->file = content->open(content->self, m->spool, &e);
        t->rest = t->file ? content->view(content->self, t->file) : STR_NONE;
    } else {
        buf_add(&t->bytes, m->content);
        t->rest = buf_str(&t->bytes);
    }
}

/* As much as the reader takes; the rest when it has. */
static void send_content(struct client *c)
{
    struct transfer *t = c->transfer;
    const struct net_port *net = c->relay->net;
    while (t->rest.n && c->stream) {
        size_t n = t->rest.n < PART_BYTES ? t->rest.n : PART_BYTES;
        struct js *row = js_object();
        put_base64(row, "content", str_slice(t->rest, 0, n));
        t->rest = str_from(t->rest, n);
        control_row(c, row);
        if (c->stream && net->stream_write(net->self, c->stream, STR_NONE) > WRITE_HIGH) return;
    }
    t->sending = false;
    control_transfer_free(c);
    control_ok(c, STR_NONE);
}

void control_transfer_drained(struct client *c)
{
    if (c->transfer && c->transfer->sending) send_content(c);
}

bool control_transfer_stop(struct client *c)
{
    bool sending = c->transfer && c->transfer->sending;
    if (sending) control_transfer_free(c);
    return sending;
}

static void export_read(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok) {
        control_transfer_free(c);
        control_result(c, ok, e);
        return;
    }
    events_by_hand(c->relay, c->uid, control_text(c, "id"), STR_NONE, STR("export"), STR_NONE);
    c->transfer->sending = true;
    send_content(c);
}

void control_export(struct client *c)
{
    struct str id = control_text(c, "id");
    if (!id.n) {
        control_error(c, EX_USAGE, STR("\"id\" is missing"));
        return;
    }
    transfer_begin(c);
    control_query(
        c, (struct store_query){.kind = QUERY_MESSAGE, .queue_id = id, .message = export_message, .done = export_read});
}

/* --- import ------------------------------------------------------------------------------------------------------- */

/* Any failure ends the import: what came is forgotten. */
static void import_fails(struct client *c, const char *why)
{
    control_transfer_free(c);
    control_error(c, EX_DATAERR, str_of(why));
}

static bool take_text(const struct transfer *t, const struct js *o, const char *key, struct str *out)
{
    struct str s;
    if (!js_get_str(o, key, &s) || str_find_byte(s, '\0') != STR_NPOS) return false;
    *out = arena_str(t->arena, s);
    return true;
}

/* A number of at least 0 and at most `most`. */
static bool take_number(const struct js *o, const char *key, int64_t most, int64_t *out)
{
    return js_get_num(o, key, out) && *out >= 0 && *out <= most;
}

static bool take_hash(const struct js *o, uint8_t out[DIGEST_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    struct str hex;
    if (!js_get_str(o, "sha256", &hex) || hex.n != 2 * DIGEST_SIZE) return false;
    for (size_t i = 0; i < hex.n; i++) {
        const char *at = memchr(digits, hex.p[i], 16);
        if (!at) return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (at - digits));
    }
    return true;
}

/* What goes into a command line holds nothing that would end it. */
static bool is_address(struct str s)
{
    struct address parsed;
    return address_parse(s, ADDRESS_UTF8, &parsed);
}

/* Not there in what an older version exported. */
static bool import_evidence(struct transfer *t, const struct js *o)
{
    struct str text;
    struct buf bytes = {0};
    struct evidence unused;
    if (!js_get_str(o, "evidence", &text)) return true;
    bool ok = base64_decode(text, &bytes);
    struct str blob = arena_str(t->arena, buf_str(&bytes));
    buf_free(&bytes);
    t->message.evidence = blob;
    return ok && evidence_decode(t->arena, blob, &unused);
}

static bool import_head(struct transfer *t, const struct js *o)
{
    struct stored_message *m = &t->message;
    int64_t size, ret, generation;
    bool ok = take_text(t, o, "queue_id", &m->queue_id) && queue_id_is_valid(m->queue_id) &&
              take_number(o, "arrived", INT64_MAX, &m->arrived) && take_text(t, o, "sender", &m->reverse_path) &&
              (!m->reverse_path.n || is_address(m->reverse_path)) && take_text(t, o, "client", &m->client_ip) &&
              take_text(t, o, "helo", &m->helo) && take_number(o, "size", INT64_MAX, &size) &&
              take_hash(o, m->sha256) && js_get_bool(o, "eight_bit", &m->eight_bit) &&
              js_get_bool(o, "binary", &m->binary) && js_get_bool(o, "smtputf8", &m->smtputf8) &&
              js_get_bool(o, "report", &m->relay_made) && take_text(t, o, "envid", &m->envid) &&
              xtext_is_valid(m->envid) && take_number(o, "ret", 'H', &ret) && (!ret || ret == 'F' || ret == 'H') &&
              take_number(o, "generation", INT64_MAX, &generation) &&
              take_number(o, "copies", IMPORT_COPIES_MAX, &t->wanted_copies) &&
              take_number(o, "recipients", IMPORT_RECIPIENTS_MAX, &t->wanted_recipients);
    if (!ok || !import_evidence(t, o)) return false;
    m->size = (uint64_t)size;
    m->ret = (uint8_t)ret;
    m->generation = (uint64_t)generation;
    return true;
}

static bool import_piece(struct transfer *t, const struct js *o, struct piece *p)
{
    struct str text;
    int64_t from, to;
    if (js_get_str(o, "insert", &text)) {
        struct buf bytes = {0};
        bool ok = base64_decode(text, &bytes) && bytes.n;
        if (ok) p->insert = arena_str(t->arena, buf_str(&bytes));
        buf_free(&bytes);
        return ok;
    }
    if (!take_number(o, "from", INT64_MAX, &from) || !take_number(o, "to", INT64_MAX, &to)) return false;
    p->from = (uint64_t)from;
    p->to = (uint64_t)to;
    return true;
}

static bool import_copy(struct transfer *t, const struct js *o)
{
    const struct js *list = js_get(o, "pieces");
    struct stored_copy copy = {.pieces = {.n = js_count(list)}};
    int64_t length;
    if ((int64_t)t->copies.n >= t->wanted_copies || !js_is_array(list) ||
        !take_number(o, "length", INT64_MAX, &length) || !take_hash(o, copy.sha256))
        return false;
    copy.length = (uint64_t)length;
    copy.pieces.v = ARENA_ARRAY(t->arena, struct piece, copy.pieces.n + 1);
    memset(copy.pieces.v, 0, (copy.pieces.n + 1) * sizeof *copy.pieces.v);
    for (size_t i = 0; i < copy.pieces.n; i++)
        if (!import_piece(t, js_at(list, i), &copy.pieces.v[i])) return false;
    if (!pieces_are_sound(&copy.pieces, t->message.size) || pieces_length(&copy.pieces) != copy.length) return false;
    VEC_PUSH(&t->copies, copy);
    return true;
}

/* An obligation that does not read is no obligation to forget. */
static bool import_recipient(struct transfer *t, const struct js *o)
{
    struct stored_recipient r = {0};
    struct str tls;
    int64_t state, copy, attempts, notify;
    bool ok = (int64_t)t->recipients.n < t->wanted_recipients && take_text(t, o, "address", &r.address) &&
              is_address(r.address) && take_number(o, "state", RECIPIENT_STATE_COUNT - 1, &state) &&
              js_get_str(o, "tls", &tls) && obligation_parse(tls, &r.need) &&
              take_number(o, "copy", t->wanted_copies ? t->wanted_copies - 1 : 0, &copy) &&
              take_text(t, o, "connector", &r.connector) && take_text(t, o, "rule", &r.rule) &&
              take_text(t, o, "tls_rule", &r.tls_rule) && take_text(t, o, "reason", &r.reason) &&
              take_number(o, "attempts", UINT32_MAX, &attempts) && take_number(o, "next_try", INT64_MAX, &r.next_try) &&
              take_number(o, "expires", INT64_MAX, &r.expires) && take_number(o, "waited", INT64_MAX, &r.waited) &&
              js_get_bool(o, "delay_told", &r.noticed) && take_number(o, "notify", 15, &notify) &&
              take_text(t, o, "orcpt", &r.orcpt) && (r.orcpt.n == 0 || orcpt_is_valid(r.orcpt, true));
    if (!ok) return false;
    r.state = (uint8_t)state;
    r.copy = (uint32_t)copy;
    r.attempts = (uint32_t)attempts;
    r.notify = (uint8_t)notify;
    VEC_PUSH(&t->recipients, r);
    return true;
}

static bool import_content(struct client *c, struct str text)
{
    struct transfer *t = c->transfer;
    struct buf bytes = {0};
    struct err e = {0};
    bool ok = base64_decode(text, &bytes);
    if (ok && !t->body) t->body = body_create(c->relay, t->message.queue_id, t->message.size);
    ok = ok && body_size(t->body) + bytes.n <= t->message.size && body_append(t->body, buf_str(&bytes), &e);
    buf_free(&bytes);
    return ok;
}

/* The delivered form is what its hash says. */
static bool copy_is_true(const struct stored_copy *copy, struct str content)
{
    uint8_t hash[DIGEST_SIZE];
    digest_pieces(content, &copy->pieces, hash);
    return memcmp(hash, copy->sha256, sizeof hash) == 0;
}

static const char *what_is_wrong(struct client *c)
{
    struct transfer *t = c->transfer;
    struct stored_message *m = &t->message;
    uint8_t hash[DIGEST_SIZE];
    struct err e = {0};
    if (!t->body) t->body = body_create(c->relay, m->queue_id, 0);
    if (!body_seal(t->body, SIZE_MAX, &e)) return "the content cannot be kept now";
    struct str content = body_view(t->body);
    digest_sha256(content, hash);
    if (content.n != m->size || memcmp(hash, m->sha256, sizeof hash)) return "the content does not match its hash";
    if ((int64_t)t->recipients.n != t->wanted_recipients || !t->recipients.n) return "recipients are missing";
    if ((int64_t)t->copies.n != t->wanted_copies) return "delivered forms are missing";
    for (size_t i = 0; i < t->copies.n; i++)
        if (!copy_is_true(&t->copies.v[i], content)) return "a delivered form does not match its hash";
    return NULL;
}

static void imported(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    struct transfer *t = c->transfer;
    if (ok) {
        body_keep(t->body);
        events_queued(c->relay, &t->message, STR_NONE);
        events_by_hand(c->relay, c->uid, t->message.queue_id, STR_NONE, STR("import"), STR_NONE);
        queue_add(c->relay->queue, &t->message, NULL);
    }
    control_transfer_free(c);
    control_result(c, ok, e);
}

static void import_end(struct client *c)
{
    struct transfer *t = c->transfer;
    const char *wrong = what_is_wrong(c);
    if (wrong) {
        import_fails(c, wrong);
        return;
    }
    t->message.content = body_view(t->body);
    t->message.spool = body_spool(t->body);
    t->message.copies = t->copies.v;
    t->message.copy_count = t->copies.n;
    t->message.recipients = t->recipients.v;
    t->message.recipient_count = t->recipients.n;
    t->audit = (struct stored_audit){
        .queue_id = t->message.queue_id, .what = STR("imported"), .text = control_signed(c, STR_NONE)};
    t->write = (struct store_write){.messages = &t->message,
                                    .message_count = 1,
                                    .audit = &t->audit,
                                    .audit_count = 1,
                                    .now = relay_now(c->relay),
                                    .done = imported,
                                    .owner = c};
    c->relay->store->write(c->relay->store->self, &t->write);
}

/* Already there?  Then its demands, and how far it is, are what stands in the queue. */
static void looked_up(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok && e && e->sysexit == EX_NOINPUT)
        control_ok(c, STR_NONE);
    else if (!ok)
        control_result(c, ok, e);
    else
        import_fails(c, "a message of that queue id is in the queue already");
}

static void import_begin(struct client *c)
{
    if (!import_head(transfer_begin(c), js_get(c->request, "message"))) {
        import_fails(c, "\"message\" is missing or not sound");
        return;
    }
    control_query(c, (struct store_query){.kind = QUERY_QUEUE,
                                          .filter = {.queue_id = c->transfer->message.queue_id},
                                          .done = looked_up});
}

void control_import(struct client *c)
{
    struct str op = control_text(c, "op"), what = str_from(op, STR("queue import ").n);
    if (str_eq(what, STR("begin"))) {
        import_begin(c);
    } else if (!c->transfer || c->transfer->sending || !c->transfer->message.queue_id.n) {
        control_error(c, EX_USAGE, STR("an import has not begun"));
    } else if (str_eq(what, STR("end"))) {
        import_end(c);
    } else {
        bool ok = str_eq(what, STR("recipient")) ? import_recipient(c->transfer, js_get(c->request, "recipient"))
                  : str_eq(what, STR("copy"))    ? import_copy(c->transfer, js_get(c->request, "copy"))
                                                 : import_content(c, control_text(c, "content"));
        if (ok)
            control_ok(c, STR_NONE);
        else
            import_fails(c, "a recipient, a delivered form or a part of the content is not sound");
    }
}

/* --- backup ------------------------------------------------------------------------------------------------------- */

static void backup_progress(void *owner, int64_t done, int64_t total)
{
    struct client *c = owner;
    struct js *o = js_object();
    js_put_num(o, "pages", done);
    js_put_num(o, "of", total);
    control_row(c, o);
}

static void backup_done(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    c->relay->backup = ok ? c : NULL; /* it stands until it is dropped, or the client is gone */
    if (ok) {
        struct js *o = js_object();
        js_put_cstr(o, "database", c->backup.database);
        js_put_cstr(o, "spool", c->backup.spool);
        control_row(c, o);
    }
    control_result(c, ok, e);
}

void control_backup(struct client *c)
{
    if (c->relay->backup) {
        control_error(c, EX_TEMPFAIL, STR("another backup is under way"));
        return;
    }
    c->relay->backup = c;
    c->backup =
        (struct store_backup){.name = STR("under-way"), .progress = backup_progress, .done = backup_done, .owner = c};
    c->relay->store->backup(c->relay->store->self, &c->backup);
}

void control_backup_over(struct client *c)
{
    if (c->relay->backup != c) return;
    c->relay->backup = NULL;
    c->relay->store->backup_drop(c->relay->store->self, STR("under-way"));
}

void control_backup_drop(struct client *c)
{
    control_backup_over(c);
    control_ok(c, STR_NONE);
}
