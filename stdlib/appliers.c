#include "stdlib/vocabulary.h"
#include "vm/plan.h"

/* --- protect ------------------------------------------------------------------------------------------------------ */

/* An unknown word cannot come from the compiler; should one come, it is the strictest. */
void apply_REQUIRE_TLS(struct judgement *j, const struct action_call *c)
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
    struct str level = call_text(c, PARAM_REQUIRE_TLS_LEVEL), min = call_text(c, PARAM_REQUIRE_TLS_MIN);
    struct obligation need = {.peer = level.n ? TLS_PEER_DANE : TLS_PEER_ENCRYPT};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (str_eq(level, str_of(levels[i].word))) need = levels[i].need;
    if (min.n) need.floor = str_eq(min, STR("1.2")) ? TLS_FLOOR_1_2 : TLS_FLOOR_1_3;
    plan_require_tls(j, c, need);
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
void apply_LOG(struct judgement *j, const struct action_call *c) { plan_log(j, c, call_text(c, PARAM_LOG_TEXT)); }
void apply_MARK(struct judgement *j, const struct action_call *c) { plan_mark(j, c, call_text(c, PARAM_MARK_MARK)); }
void apply_STOP(struct judgement *j, const struct action_call *c) { plan_stop(j, c); }
