/* The control socket's operations on users.  A secret comes ready made: no password crosses the socket. */
#include <string.h>
#include <sysexits.h>

#include "base/base64.h"
#include "mail/fold.h"
#include "relay/control_core.h"

static void user_row(void *owner, const struct stored_user *u, bool password_is)
{
    struct js *o = js_object();
    (void)password_is;
    js_put_str(o, "user", u->name);
    js_put_bool(o, "disabled", u->disabled);
    js_put_num(o, "created", u->created);
    control_row(owner, o);
}

void control_user_list(struct client *c)
{
    control_query(c, (struct store_query){.kind = QUERY_USERS, .user = user_row});
}

static const struct {
    const char *op, *done;
    enum change_kind kind;
    bool wants_secret;
} changes[] = {{"user add", "added", CHANGE_USER_ADD, true},
               {"user password", "has a new password", CHANGE_USER_PASSWORD, true},
               {"user remove", "removed", CHANGE_USER_REMOVE, false},
               {"user disable", "disabled", CHANGE_USER_DISABLE, false},
               {"user enable", "enabled", CHANGE_USER_ENABLE, false}};

static size_t change_of(struct str op)
{
    size_t i = 0;
    while (!str_eq(op, str_of(changes[i].op))) i++; /* control.c's table has these five */
    return i;
}

static bool read_bytes(const struct client *c, const char *key, uint8_t *out, size_t n)
{
    struct buf bytes = {0};
    bool good = base64_decode(control_text(c, key), &bytes) && bytes.n == n;
    if (good) memcpy(out, bytes.p, n);
    buf_free(&bytes);
    return good;
}

static bool read_secret(const struct client *c, struct scram_secret *out)
{
    int64_t iterations = 0;
    js_get_num(c->request, "iterations", &iterations);
    out->iterations = (uint32_t)iterations;
    return iterations >= SCRAM_ITERATIONS_MIN && iterations <= SCRAM_ITERATIONS_MAX &&
           read_bytes(c, "salt", out->salt, sizeof out->salt) &&
           read_bytes(c, "stored_key", out->stored_key, sizeof out->stored_key) &&
           read_bytes(c, "server_key", out->server_key, sizeof out->server_key);
}

static void changed(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok) {
        control_result(c, ok, e);
        return;
    }
    struct buf text = {0};
    buf_printf(&text, "user %.*s %s", STR_ARG(c->change.user.name), changes[change_of(control_text(c, "op"))].done);
    control_ok(c, buf_str(&text));
    buf_free(&text);
}

void control_user_change(struct client *c)
{
    size_t i = change_of(control_text(c, "op"));
    struct str name = control_text(c, "user");
    c->change = (struct store_change){
        .kind = changes[i].kind, .now = relay_now(c->relay), .done = changed, .owner = c};
    c->text.n = 0;
    if (!scram_name_is_valid(name)) {
        control_error(c, EX_USAGE, STR("a user's name is UTF-8 text of 1 to 255 bytes without control characters"));
        return;
    }
    if (changes[i].wants_secret && !read_secret(c, &c->change.user.secret)) {
        control_error(c, EX_USAGE, STR("\"salt\", \"iterations\", \"stored_key\" and \"server_key\" make no secret"));
        return;
    }
    fold_case_nfc(name, &c->text);
    c->change.user.name = buf_str(&c->text);
    c->relay->store->change(c->relay->store->self, &c->change);
}
