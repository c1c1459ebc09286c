#include "judge/fit.h"

static bool fits(const struct judge_answer *answer, struct buf *out)
{
    out->n = 0;
    protocol_encode_answer(answer, out);
    return out->n <= PROTOCOL_DATAGRAM_MAX;
}

/* The last of those that stay says that there were more. */
static bool fits_with_few_notes(struct judge_answer *answer, struct buf *out)
{
    struct verdict *v = &answer->verdict;
    struct verdict_note few[FIT_NOTES];
    if (v->note_count <= FIT_NOTES) return false;
    for (size_t i = 0; i < FIT_NOTES; i++) few[i] = v->notes[i];
    few[FIT_NOTES - 1].recipient = STR("");
    few[FIT_NOTES - 1].text = STR("further notes on this message are left out");
    v->notes = few;
    v->note_count = FIT_NOTES;
    return fits(answer, out);
}

/* What each kind of thing takes: the answer without it is so much shorter. */
static void tell_sizes(const struct judge_answer *answer, struct buf *out, struct buf *why)
{
    const struct verdict *v = &answer->verdict;
    struct judge_answer without[3] = {*answer, *answer, *answer};
    without[0].verdict.recipient_count = 0;
    without[1].verdict.copy_count = 0;
    without[2].verdict.notice_count = 0;
    const struct {
        size_t n;
        const char *name;
    } kinds[] = {{v->recipient_count, "recipients"},
                 {v->copy_count, "different copies with what rules write into them"},
                 {v->notice_count, "notices"}};
    fits(answer, out);
    size_t whole = out->n;
    buf_printf(why, "the rules ask for more than a verdict can say: %zu KiB of at most %d", whole / 1024 + 1,
               PROTOCOL_DATAGRAM_MAX / 1024);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fits(&without[i], out);
        if (kinds[i].n)
            buf_printf(why, "%s %zu %s take %zu KiB", i ? "," : ":", kinds[i].n, kinds[i].name,
                       (whole - out->n) / 1024);
    }
}

void fit_answer(const struct judge_answer *answer, struct buf *out)
{
    struct judge_answer less = *answer;
    if (fits(answer, out) || answer->kind != JUDGE_VERDICT) return;
    less.verdict.evidence = (struct evidence){.cut = true};
    if (fits(&less, out) || fits_with_few_notes(&less, out)) return;
    struct buf why = {0};
    tell_sizes(answer, out, &why);
    fits(&(struct judge_answer){.id = answer->id, .kind = JUDGE_FAILED, .why = buf_str(&why)}, out);
    buf_free(&why);
}
