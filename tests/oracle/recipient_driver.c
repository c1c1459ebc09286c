/* Rule text and a message in, what becomes of each recipient out: the real compiler and machine, for
 * recipient_model_test.py.
 *
 * Reads cases from standard input, each
 *     CASE trusted|stranger\n  RULES n\n<n bytes>  MESSAGE n\n<n bytes>  TO address\n … END\n
 * and answers each with lines, ended by "end":
 *     error TEXT | reply CODE | rcpt ADDRESS DISPOSITION PEER SUBJECT | would ADDRESS ACTION
 *
 * One thing is not stdlib's: `client.helo` cannot be known here, so that conditions can be unavailable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytecode/verify.h"
#include "compiler/compiler.h"
#include "judge/judge.h"
#include "message/message.h"
#include "stdlib/vocabulary.h"

static void get_unavailable(struct judgement *j, const struct field_ask *ask, struct values *out)
{
    (void)j;
    (void)ask;
    out->trouble = ANSWER_UNAVAILABLE;
    out->why = STR("the driver says so");
}

struct oracle_case {
    struct str rules, message;
    bool trusted;
    VEC(struct str) to;
};

static struct str take(struct str *in, size_t n)
{
    struct str s = str_slice(*in, 0, n);
    *in = str_from(*in, n);
    return s;
}

static bool read_case(struct str *in, struct oracle_case *c)
{
    struct str line;
    c->to.n = 0;
    while (str_cut(*in, '\n', &line, in)) {
        struct str word, rest;
        uint64_t n = 0;
        str_cut(line, ' ', &word, &rest);
        if (str_eq(word, STR("CASE")))
            c->trusted = str_eq(rest, STR("trusted"));
        else if (str_eq(word, STR("RULES")) && str_to_u64(rest, &n))
            c->rules = take(in, n);
        else if (str_eq(word, STR("MESSAGE")) && str_to_u64(rest, &n))
            c->message = take(in, n);
        else if (str_eq(word, STR("TO")))
            VEC_PUSH(&c->to, rest);
        else if (str_eq(word, STR("END")))
            return true;
        else
            return false;
    }
    return false;
}

static struct program *compile(struct str rules, struct diags *d)
{
    struct compiler_memory_file file = {STR("oracle.sluice"), rules};
    struct compiler_memory files = {&file, 1};
    struct compile_input in = {.path = file.path, .read = compiler_read_memory, .context = &files};
    return compiler_compile(&in, d);
}

/* The subject of one copy, as the next reader will see it. */
static struct str subject_of(struct arena *a, const struct verdict_copy *c, struct str content)
{
    struct buf b = {0};
    for (size_t i = 0; i < c->pieces.n; i++) {
        const struct piece *p = &c->pieces.v[i];
        buf_add(&b, p->insert.p ? p->insert : str_slice(content, p->from, p->to));
    }
    struct str copy = arena_str(a, buf_str(&b));
    buf_free(&b);
    return message_text_best(message_subject(message_open(a, copy, NULL), NULL));
}

static void print_answer(struct arena *a, const struct oracle_case *c, const struct judge_answer *answer,
                         const struct program *p, const struct trace *t)
{
    const struct verdict *v = &answer->verdict;
    struct envelope env = {.recipients = c->to.v, .recipient_count = c->to.n};
    struct err e = {0};
    if (answer->kind == JUDGE_FAILED) {
        printf("error judge: %.*s\n", STR_ARG(answer->why));
        return;
    }
    if (!verdict_is_sound(v, &env, c->message, &e)) printf("error %s\n", e.text);
    printf("reply %u\n", v->answer == VERDICT_ACCEPT ? 250u : v->reply.code);
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *r = &v->recipients[i];
        struct str subject = subject_of(a, &v->copies[r->copy], c->message);
        printf("rcpt %.*s %s %u %.*s\n", STR_ARG(r->address), disposition_names[r->disposition], r->need.peer,
               STR_ARG(subject));
    }
    for (size_t i = 0; i < t->actions.n; i++) {
        const struct trace_action *x = &t->actions.v[i];
        const struct action_row *row = &stdlib_vocabulary.rows->actions[p->actions[x->action].action];
        if (x->audit && row->join != JOIN_UNION) /* marks of audit rules are set, in the shadow; the model tells none */
            printf("would %.*s %s\n", STR_ARG(t->recipients.v[x->recipient]), row->name);
    }
}

static void run_case(const struct oracle_case *c, const struct vocabulary *vocabulary)
{
    struct arena *a = arena_create();
    struct sources sources = {{0}};
    struct diags d = {.arena = a, .sources = &sources};
    struct settings settings = {0};
    struct err e = {0};
    struct program *p = compile(c->rules, &d);
    struct judge *j = NULL;
    if (!p) {
        struct buf text = {0};
        diags_print_text(&d, &text, false);
        for (size_t i = 0; i < text.n; i++)
            if (text.p[i] == '\n') text.p[i] = '|';
        printf("error compile: %.*s\n", STR_ARG(buf_str(&text)));
        buf_free(&text);
    } else if (!program_verify_err(p, vocabulary->rows, &e) || !(j = judge_create_with(p, &settings, vocabulary, &e))) {
        printf("error load: %s\n", e.text);
    } else {
        struct judge_request r = {.id = 1, .queue_id = STR("oracle"), .size = c->message.n};
        r.envelope =
            (struct envelope){.reverse_path = STR("s@corp.example"),
                              .recipients = c->to.v,
                              .recipient_count = c->to.n,
                              .client = {.ip = STR("192.0.2.1"), .helo = STR("client.example"), .trusted = c->trusted}};
        struct trace t = {.arena = a};
        struct judge_answer answer;
        judge_message(j, a, &r, c->message, &answer, &t);
        print_answer(a, c, &answer, p, &t);
        trace_free(&t);
    }
    printf("end\n");
    judge_free(&j);
    program_free(&p);
    VEC_FREE(&d.list);
    VEC_FREE(&sources.list);
    arena_free(&a);
}

int main(void)
{
    struct buf input = {0};
    for (size_t n = 1; n;) {
        buf_reserve(&input, 65536);
        n = fread(input.p + input.n, 1, 65536, stdin);
        input.n += n;
    }
    field_getter *getters[FIELD_COUNT];
    memcpy(getters, stdlib_vocabulary.getters, sizeof getters);
    getters[FIELD_CLIENT_HELO] = get_unavailable;
    struct vocabulary vocabulary = stdlib_vocabulary;
    vocabulary.getters = getters;

    struct str rest = buf_str(&input);
    struct oracle_case c = {0};
    while (read_case(&rest, &c)) run_case(&c, &vocabulary);
    VEC_FREE(&c.to);
    buf_free(&input);
    return rest.n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
