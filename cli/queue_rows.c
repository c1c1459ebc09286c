#include "cli/queue_rows.h"

#include <time.h>

/* "2 h 5 min", "40 s": two units at most, for a glance. */
void queue_print_span(struct buf *out, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int printed = 0;
    if (seconds <= 0) {
        buf_printf(out, "now");
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units && printed < 2; i++) {
        if (seconds < units[i].seconds && !printed) continue;
        if (seconds / units[i].seconds)
            buf_printf(out, "%s%lld %s", printed ? " " : "", (long long)(seconds / units[i].seconds), units[i].unit);
        seconds %= units[i].seconds;
        printed++;
    }
}

static void print_recipient(struct queue_listing *l, const struct js *r, int64_t now)
{
    struct str address = STR(""), reason = STR(""), tls = STR("none"), state = STR(""), rule = STR(""), waits = STR("");
    int64_t next = 0, expires = 0, attempts = 0;
    js_get_str(r, "address", &address);
    js_get_str(r, "delay_reason", &reason);
    js_get_str(r, "tls", &tls);
    js_get_str(r, "state", &state);
    js_get_str(r, "rule", &rule);
    js_get_str(r, "waits_for", &waits);
    js_get_num(r, "next_try", &next);
    js_get_num(r, "expires", &expires);
    js_get_num(r, "attempts", &attempts);
    l->recipients++;
    buf_printf(&l->out, "    %.*s  %.*s", STR_ARG(address), STR_ARG(state));
    if (!str_eq(tls, STR("none")))
        buf_printf(&l->out, "  %sTLS required: %.*s%s", l->colour ? "\033[36m" : "", STR_ARG(tls),
                   l->colour ? "\033[0m" : "");
    if (rule.n) buf_printf(&l->out, "  (rule %.*s)", STR_ARG(rule));
    buf_add_byte(&l->out, '\n');
    if (reason.n) buf_printf(&l->out, "        %.*s\n", STR_ARG(reason));
    if (str_starts(waits, STR("suspension")) || str_starts(waits, STR("connector")) ||
        str_starts(waits, STR("no connector")))
        buf_printf(&l->out, "        waits for %.*s\n", STR_ARG(waits));
    if (str_eq(state, STR("queued"))) {
        buf_printf(&l->out, "        %lld tries, next ", (long long)attempts);
        if (next > now) buf_printf(&l->out, "in ");
        queue_print_span(&l->out, next - now);
        buf_printf(&l->out, ", returned after ");
        queue_print_span(&l->out, expires - now);
        buf_add_byte(&l->out, '\n');
    }
}

void queue_print_row(void *owner, const struct js *row, struct str line)
{
    struct queue_listing *l = owner;
    if (l->json) {
        buf_add(&l->out, line);
        buf_add_byte(&l->out, '\n');
        put(&l->out, stdout);
        return;
    }
    struct str id = STR(""), sender = STR(""), queue = STR("");
    int64_t size = 0, arrived = 0, now = (int64_t)time(NULL);
    js_get_str(row, "queue_id", &id);
    js_get_str(row, "queue_name", &queue);
    js_get_str(row, "sender", &sender);
    js_get_num(row, "message_size", &size);
    js_get_num(row, "arrival_time", &arrived);
    l->messages++;
    buf_printf(&l->out, "%s%.*s%s  %.*s  %lld bytes  from <%.*s>  ", l->colour ? "\033[1m" : "", STR_ARG(id),
               l->colour ? "\033[0m" : "", STR_ARG(queue), (long long)size, STR_ARG(sender));
    queue_print_span(&l->out, now - arrived);
    buf_printf(&l->out, now > arrived ? " ago\n" : "\n");
    const struct js *recipients = js_get(row, "recipients");
    for (size_t i = 0; i < js_count(recipients); i++) print_recipient(l, js_at(recipients, i), now);
    put(&l->out, stdout);
}
