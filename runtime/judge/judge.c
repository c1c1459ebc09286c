#include "judge/judge.h"

#include <sysexits.h>
#include <time.h>

#include "mail/live_list.h"
#include "message/message.h"
#include "stdlib/vocabulary.h"
#include "vm/run.h"

struct judge {
    struct vm_program *program;
    const struct settings *settings;
    struct live_list *lists;        /* by number of the live list */
    const struct live_list **there; /* the same, NULL where there is none now */
};

/* Wall time costs no system call; a harmless pattern takes microseconds of the milliseconds it has. */
static uint64_t clock_now(void *self)
{
    struct timespec t;
    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct judge *judge_create_with(const struct program *p, const struct settings *s, const struct vocabulary *v,
                                struct err *e)
{
    struct vm_program *program = vm_load(p, v, e);
    if (!program) return NULL;
    struct judge *j = mem_alloc(sizeof *j);
    j->program = program;
    j->settings = s;
    j->lists = mem_grow(NULL, vm_program_live_lists(program) + 1, sizeof *j->lists);
    j->there = mem_alloc((vm_program_live_lists(program) + 1) * sizeof *j->there);
    return j;
}

struct judge *judge_create(const struct program *p, const struct settings *s, struct err *e)
{
    return judge_create_with(p, s, &stdlib_vocabulary, e);
}

void judge_free(struct judge **j)
{
    if (!*j) return;
    vm_program_free(&(*j)->program);
    free((*j)->lists);
    free((void *)(*j)->there);
    free(*j);
    *j = NULL;
}

static const uint8_t types_of_live[] = {
    [LIVE_TEXT] = TYPE_TEXT, [LIVE_ADDRESS] = TYPE_ADDRESS, [LIVE_DOMAIN] = TYPE_DOMAIN, [LIVE_NETWORK] = TYPE_NETWORK};

bool judge_set_list(struct judge *j, struct str name, struct str block, struct err *e)
{
    for (uint32_t i = 0; i < vm_program_live_lists(j->program); i++) {
        const struct program_list *l = vm_program_live_list(j->program, i);
        if (!str_eq(l->name, name)) continue;
        j->there[i] = NULL;
        if (!block.p) return true;
        if (!live_open(block, &j->lists[i], e)) return false;
        if (types_of_live[j->lists[i].type] != l->type)
            return err_set(e, EX_DATAERR, "the block of a live list is of another type");
        j->there[i] = &j->lists[i];
        return true;
    }
    return err_set(e, EX_DATAERR, "the rules have no such live list");
}

void judge_describe_trigger(const struct judge *j, uint32_t rule, struct buf *out)
{
    vm_describe_trigger(j->program, rule, out);
}

const struct program *judge_program(const struct judge *j) { return vm_program_source(j->program); }
const struct settings *judge_settings(const struct judge *j) { return j->settings; }

static void judge_input(struct judge *j, struct arena *a, const struct judge_request *r, const struct vm_input *in,
                        struct judge_answer *out, struct trace *t)
{
    struct err e = {0};
    *out = (struct judge_answer){.id = r->id, .kind = JUDGE_VERDICT};
    if (vm_judge(j->program, in, a, &out->verdict, t, &e)) return;
    *out = (struct judge_answer){.id = r->id, .kind = JUDGE_FAILED, .why = arena_printf(a, "%s", e.text)};
}

static struct vm_input input_of(struct judge *j, struct arena *a, const struct judge_request *r, struct str content)
{
    return (struct vm_input){
        .envelope = &r->envelope,
        .queue_id = r->queue_id,
        .message = message_open(a, content, NULL),
        .now = r->now,
        .utc_offset = r->utc_offset,
        .settings = j->settings,
        .lists = j->there,
        .clock = clock_now,
    };
}

void judge_message(struct judge *j, struct arena *a, const struct judge_request *r, struct str content,
                   struct judge_answer *out, struct trace *t)
{
    struct vm_input in = input_of(j, a, r, content);
    judge_input(j, a, r, &in, out, t);
}

void judge_message_in_case(struct judge *j, struct arena *a, const struct judge_request *r, struct str content,
                           const struct judge_case *c, struct judge_answer *out, struct trace *t)
{
    struct vm_input in = input_of(j, a, r, content);
    in.given = c->given;
    in.lists = c->lists;
    in.clock = NULL; /* the same answer on every machine */
    judge_input(j, a, r, &in, out, t);
}
