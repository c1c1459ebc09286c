#include "message/decode.h"
#include "stdlib/vocabulary.h"
#include "vm/plan.h"

/* --- protect ------------------------------------------------------------------------------------------------------ */

/* An unknown word cannot come from the compiler; should one come, it is the strictest. */
struct obligation stdlib_tls_obligation(struct str level, struct str min)
{
    static const struct {
        const char *word;
        struct obligation need;
    } levels[] = {
        {"encrypt", {.peer = TLS_PEER_ENCRYPT}},
        {"verified", {.peer = TLS_PEER_VERIFIED}},
        {"dane", {.peer = TLS_PEER_DANE}},
        {"requiretls", {.peer = TLS_PEER_VERIFIED, .onward = true}},
    };
    struct obligation need = {.peer = level.n ? TLS_PEER_DANE : TLS_PEER_ENCRYPT};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (str_eq(level, str_of(levels[i].word))) need = levels[i].need;
    if (min.n) need.floor = str_eq(min, STR("1.2")) ? TLS_FLOOR_1_2 : TLS_FLOOR_1_3;
    return need;
}

void apply_REQUIRE_TLS(struct judgement *j, const struct action_call *c)
{
    plan_require_tls(
        j, c, stdlib_tls_obligation(call_text(c, PARAM_REQUIRE_TLS_LEVEL), call_text(c, PARAM_REQUIRE_TLS_MIN)));
}

/* --- final -------------------------------------------------------------------------------------------------------- */

struct reply_params {
    uint8_t text, status, code;
};

/* The author's text, code and enhanced code; what is left out is filled in so that both codes agree (RFC 2034). */
static struct reply reply_of(struct judgement *j, const struct action_call *c, struct reply_params p,
                             struct reply standard)
{
    struct reply r = standard;
    r.text = plan_reply_text(j->arena, call_text(c, p.text));
    if (r.text.n == 0) r.text = STR("Not accepted");
    const struct call_argument *code = call_argument(c, p.code);
    if (code && code->constant && code->constant->number / 100 == standard.code / 100)
        r.code = (uint16_t)code->constant->number;
    struct status status;
    if (status_parse(call_text(c, p.status), &status) && status.class == standard.status.class) r.status = status;
    return r;
}

void apply_REJECT(struct judgement *j, const struct action_call *c)
{
    struct reply r = reply_of(j, c, (struct reply_params){PARAM_REJECT_TEXT, PARAM_REJECT_STATUS, PARAM_REJECT_CODE},
                              (struct reply){550, STATUS(5, 7, 1), STR_NONE});
    plan_final(j, c, DISPOSITION_REJECT, &r, STR_NONE);
}
void apply_DEFER(struct judgement *j, const struct action_call *c)
{
    plan_defer(j, c,
               reply_of(j, c, (struct reply_params){PARAM_DEFER_TEXT, PARAM_DEFER_STATUS, PARAM_DEFER_CODE},
                        (struct reply){451, STATUS(4, 7, 1), STR_NONE}));
}
void apply_DROP(struct judgement *j, const struct action_call *c)
{
    plan_final(j, c, DISPOSITION_DROP, NULL, STR_NONE);
}
void apply_QUARANTINE(struct judgement *j, const struct action_call *c)
{
    plan_final(j, c, DISPOSITION_QUARANTINE, NULL, call_text(c, PARAM_QUARANTINE_REASON));
}
void apply_HOLD(struct judgement *j, const struct action_call *c)
{
    plan_final(j, c, DISPOSITION_HOLD, NULL, call_text(c, PARAM_HOLD_REASON));
}
void apply_REDIRECT(struct judgement *j, const struct action_call *c)
{
    plan_add(j, c, call_text(c, PARAM_REDIRECT_TO), true);
}

/* Whatever else the session was to bring: 421 ends it (RFC 5321 section 3.8).  The client may come again. */
void apply_DISCONNECT(struct judgement *j, const struct action_call *c)
{
    struct str text = plan_reply_text(j->arena, call_text(c, PARAM_DISCONNECT_TEXT));
    if (text.n == 0) text = STR("Closing the connection");
    plan_defer(j, c, (struct reply){421, STATUS(4, 7, 0), text});
}

/* --- route, change, tell ------------------------------------------------------------------------------------------ */

void apply_COPY(struct judgement *j, const struct action_call *c)
{
    plan_add(j, c, call_text(c, PARAM_COPY_TO), false);
}
void apply_ROUTE_VIA(struct judgement *j, const struct action_call *c)
{
    plan_route(j, c, call_text(c, PARAM_ROUTE_VIA_CONNECTOR));
}
void apply_ADD_HEADER(struct judgement *j, const struct action_call *c)
{
    plan_edit(j, c, EDIT_ADD_HEADER, call_text(c, PARAM_ADD_HEADER_NAME), call_text(c, PARAM_ADD_HEADER_VALUE));
}
void apply_SET_HEADER(struct judgement *j, const struct action_call *c)
{
    plan_edit(j, c, EDIT_SET_HEADER, call_text(c, PARAM_SET_HEADER_NAME), call_text(c, PARAM_SET_HEADER_VALUE));
}
void apply_REMOVE_HEADER(struct judgement *j, const struct action_call *c)
{
    plan_edit(j, c, EDIT_REMOVE_HEADER, call_text(c, PARAM_REMOVE_HEADER_NAME), STR(""));
}
void apply_PREPEND_SUBJECT(struct judgement *j, const struct action_call *c)
{
    plan_edit(j, c, EDIT_PREPEND_SUBJECT, STR(""), call_text(c, PARAM_PREPEND_SUBJECT_TEXT));
}

/* The field as it will stand: the addresses it has, all instances in one (RFC 5322 section 3.6.3), and this one. */
static struct str with_address(struct judgement *j, const struct edits *edits, struct str name, struct str address)
{
    const struct message_values *all = message_header_edited(j->in->message, edits, name);
    struct buf b = {0};
    for (size_t i = 0; i < all->n; i++) {
        if (str_trim(all->v[i].raw).n == 0) continue;
        if (b.n) buf_add(&b, STR(", "));
        decode_unfold(BEST_VIEWER, str_trim(all->v[i].raw), &b);
    }
    if (b.n) buf_add(&b, STR(", "));
    buf_add(&b, address);
    struct str s = arena_str(j->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

/* What the field says differs by copy, so each list of edits is extended by itself. */
static void name_in_header(struct judgement *j, const struct action_call *c, struct str name, struct str address)
{
    uint64_t *left = judgement_bits(j);
    for (size_t i = 0; i < j->members.n; i++)
        if (bit_has(c->who, i)) bit_set(left, i);
    for (size_t i = 0; i < j->members.n; i++) {
        if (!bit_has(left, i)) continue;
        const struct edits *edits = j->members.v[i].edits;
        struct action_call same = *c;
        uint64_t *who = judgement_bits(j);
        for (size_t k = i; k < j->members.n; k++) {
            if (!bit_has(left, k) || j->members.v[k].edits != edits) continue;
            bit_set(who, k);
            bit_clear(left, k);
        }
        same.who = who;
        plan_edit(j, &same, EDIT_SET_HEADER, name, with_address(j, edits, name, address));
    }
}

void apply_ADD_RECIPIENT(struct judgement *j, const struct action_call *c)
{
    struct str place = call_text(c, PARAM_ADD_RECIPIENT_PLACE), address = call_text(c, PARAM_ADD_RECIPIENT_ADDRESS);
    if (str_eq(place, STR("to"))) name_in_header(j, c, STR("To"), address);
    if (str_eq(place, STR("cc"))) name_in_header(j, c, STR("Cc"), address);
    plan_add(j, c, address, false);
}

/* The next time that the clock of the relay's zone shows `minute`. */
static int64_t next_clock(const struct judgement *j, int64_t minute)
{
    int64_t local = j->in->now + j->in->utc_offset, day = local - (local % 86400 + 86400) % 86400;
    int64_t at = day + minute * 60;
    return (at > local ? at : at + 86400) - j->in->utc_offset;
}

/* Both said: whichever is later. */
void apply_DELIVER_AFTER(struct judgement *j, const struct action_call *c)
{
    const struct call_argument *delay = call_argument(c, PARAM_DELIVER_AFTER_DELAY);
    const struct call_argument *at = call_argument(c, PARAM_DELIVER_AFTER_TIME);
    int64_t when = j->in->now;
    int64_t most = LIMIT_DELIVER_AFTER, wanted = delay && delay->constant ? delay->constant->number : 0;
    when += wanted < 0 ? 0 : wanted < most ? wanted : most;
    int64_t clock = at && at->constant ? next_clock(j, at->constant->number) : when;
    plan_deliver_after(j, c, clock > when ? clock : when);
}

void apply_SET_IMPORTANCE(struct judgement *j, const struct action_call *c)
{
    plan_edit(j, c, EDIT_SET_HEADER, STR("Importance"), call_text(c, PARAM_SET_IMPORTANCE_LEVEL));
    plan_edit(j, c, EDIT_REMOVE_HEADER, STR("X-Priority"), STR(""));
    plan_edit(j, c, EDIT_REMOVE_HEADER, STR("X-MSMail-Priority"), STR(""));
    plan_edit(j, c, EDIT_REMOVE_HEADER, STR("Priority"), STR(""));
}
void apply_SET_SCL(struct judgement *j, const struct action_call *c)
{
    const struct call_argument *level = call_argument(c, PARAM_SET_SCL_LEVEL);
    if (!level || !level->constant) return;
    plan_edit(j, c, EDIT_SET_HEADER, STR("X-MS-Exchange-Organization-SCL"),
              arena_printf(j->arena, "%lld", (long long)level->constant->number));
}
void apply_SET_CLASSIFICATION(struct judgement *j, const struct action_call *c)
{
    plan_edit(j, c, EDIT_SET_HEADER, STR("X-Microsoft-Classified"), STR("true"));
    plan_edit(j, c, EDIT_SET_HEADER, STR("X-Microsoft-Classification"), call_text(c, PARAM_SET_CLASSIFICATION_NAME));
}

void apply_LOG(struct judgement *j, const struct action_call *c) { plan_log(j, c, call_text(c, PARAM_LOG_TEXT)); }
void apply_MARK(struct judgement *j, const struct action_call *c) { plan_mark(j, c, call_text(c, PARAM_MARK_MARK)); }
void apply_STOP(struct judgement *j, const struct action_call *c) { plan_stop(j, c); }
