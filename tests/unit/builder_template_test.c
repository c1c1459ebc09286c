/* A real template and a real judge: built from source, under their filters, judging, killed, reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/link_io.h"
#include "builder/build.h"
#include "builder/template.h"
#include "judge/protocol.h"
#include "tests/support/store_driver.h"

static char *directory, *config;
static int supervisor[2], relay[2];
static pid_t template;
static struct buf datagram;

static int set_up(void **unused)
{
    (void)unused;
    directory = directory_temporary();
    struct buf path = {0};
    buf_printf(&path, "%s/config.sluice%c", directory, 0);
    config = path.p;
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    buf_free(&datagram);
    directory_remove(directory);
    free(directory);
    free(config);
    return 0;
}

static void start(const char *text)
{
    struct err e = {0};
    FILE *f = fopen(config, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_true(link_pair(supervisor, &e) && link_pair(relay, &e));
    template = fork();
    if (template == 0) {
        close(supervisor[0]);
        close(relay[0]);
        _exit(template_run(&(struct template_options){
            .supervisor = supervisor[1], .relay = relay[1], .config = config, .generation = 5, .build_id = STR("b")}));
    }
    close(supervisor[1]);
    close(relay[1]);
}

static struct link_message hear(int channel, int fds[LINK_FDS_MAX])
{
    struct link_message m = {0};
    struct err e = {0};
    struct pollfd p = {.fd = channel, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
    if (link_receive(channel, true, &datagram, &m, fds, &e) != LINK_GOT)
        fail_msg("%s", e.text[0] ? e.text : "it ended");
    return m;
}

static int ended(void)
{
    int status;
    assert_int_equal(waitpid(template, &status, 0), template);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void hold_to_the_jail(int pid)
{
    char path[64], line[512];
    bool filtered = false;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) filtered = filtered || !strcmp(line, "Seccomp:\t2\n");
    fclose(f);
    assert_true(filtered);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    f = fopen(path, "r");
    if (!f && geteuid() != 0) return; /* not dumpable: for root alone */
    assert_non_null(f);
#ifndef SLUICE_SANITIZED
    while (fgets(line, sizeof line, f))
        if (strstr(line, " rwx")) fail_msg("%d: %s", pid, line);
#endif
    fclose(f);
}

static void judge(int channel, const char *subject, struct arena *a, struct judge_answer *answer)
{
    struct str to = STR("b@partner.example");
    struct str content = arena_printf(a, "Received: by us; now\r\nSubject: %s\r\n\r\nhello\r\n", subject);
    struct judge_request r = {.id = 9,
                              .queue_id = STR("Q"),
                              .now = 1800000000,
                              .size = content.n,
                              .content_inline = true,
                              .content = content};
    r.envelope = (struct envelope){.reverse_path = STR("a@corp.example"), .recipients = &to, .recipient_count = 1};
    r.envelope.client = (struct client_facts){.ip = STR("127.0.0.1"), .helo = STR("h"), .user = STR(""),
                                              .tls_version = STR(""), .listener = STR("l"), .trusted = true};
    r.envelope.envid = STR("");
    struct buf out = {0};
    struct err e = {0};
    buf_add(&out, protocol_encode_request(&r, &out));
    assert_int_equal(send(channel, out.p, out.n, MSG_NOSIGNAL), out.n);
    buf_reserve(&datagram, PROTOCOL_DATAGRAM_MAX);
    ssize_t n = recv(channel, datagram.p, PROTOCOL_DATAGRAM_MAX, 0);
    assert_true(n > 0);
    if (!protocol_decode_answer(a, arena_str(a, (struct str){datagram.p, (size_t)n}), answer, &e))
        fail_msg("%s", e.text);
    buf_free(&out);
}

static void it_serves_judges(void **unused)
{
    (void)unused;
    struct arena *a = arena_create();
    struct err e = {0};
    int fds[LINK_FDS_MAX];
    start("relay hostname \"r.example\"\nlistener \"l\" address \"127.0.0.1:25\"\n"
          "rule \"tls\" when subject matches /top\\s+secret/ then require_tls verified\n"
          "rule \"no\" when subject contains \"forbidden\" then reject \"No.\"\n"
          "rule \"programs\" when any attachment.executable then reject \"No programs.\"\n");
    struct link_message m = hear(supervisor[0], fds);
    if (m.kind != LINK_BEGIN) fail_msg("%.*s", STR_ARG(m.text));
    assert_int_equal(m.generation, 5);

    struct buf block = {0};
    struct settings s;
    assert_true(build_read_fd(fds[0], 1 << 20, &block, &e) && settings_decode(a, buf_str(&block), &s, &e));
    assert_int_equal(s.listener_count, 1);
    block.n = 0;
    assert_true(build_read_fd(fds[1], 1 << 20, &block, &e)); /* the program, for a later start */
    struct program *p = build_decode(buf_str(&block), &e);
    if (!p) fail_msg("%s", e.text);
    assert_int_equal(p->rules_count, 3);
    program_free(&p);
    assert_int_equal(write(fds[1], "x", 1), -1); /* sealed */
    buf_free(&block);
    link_close_all(fds);

    m = hear(relay[0], fds);
    assert_int_equal(m.kind, LINK_HELLO);
    assert_true(str_eq(m.text, STR("b")));
    struct link_message say = {.kind = LINK_SPAWN, .name = STR(""), .text = STR("")};
    assert_true(link_send(relay[0], &say, NULL, 0, &e));
    m = hear(relay[0], fds);
    assert_int_equal(m.kind, LINK_JUDGE);
    int pid = (int)m.generation, channel = fds[0];

    struct judge_answer answer;
    judge(channel, "TOP  Secret", a, &answer);
    assert_int_equal(answer.kind, JUDGE_VERDICT);
    assert_int_equal(answer.verdict.answer, VERDICT_ACCEPT);
    assert_int_equal(answer.verdict.recipients[0].need.peer, TLS_PEER_VERIFIED);
    hold_to_the_jail(template);
    hold_to_the_jail(pid);
    judge(channel, "forbidden", a, &answer);
    assert_int_equal(answer.verdict.answer, VERDICT_REJECT);
    /* What it reads was loaded before: converters of charsets, the kinds of files. */
    judge(channel, "=?koi8-r?q?=E9?=\r\nContent-Type: application/octet-stream\r\n\r\n#!/bin/sh\nls\n", a, &answer);
    assert_int_equal(answer.verdict.answer, VERDICT_REJECT);

    say.kind = LINK_KILL;
    say.generation = (uint64_t)pid;
    assert_true(link_send(relay[0], &say, NULL, 0, &e));
    m = hear(relay[0], fds);
    assert_int_equal(m.kind, LINK_DIED);
    assert_int_equal(m.generation, pid);
    assert_true(str_eq(m.text, STR("signal 9")));
    close(channel);

    say.generation = 1; /* not a child of its: nothing happens */
    assert_true(link_send(relay[0], &say, NULL, 0, &e));
    say.kind = LINK_SPAWN;
    assert_true(link_send(relay[0], &say, NULL, 0, &e));
    m = hear(relay[0], fds);
    assert_int_equal(m.kind, LINK_JUDGE);
    close(fds[0]); /* a judge whose channel ends goes by itself */
    m = hear(relay[0], fds);
    assert_int_equal(m.kind, LINK_DIED);
    assert_true(str_eq(m.text, STR("exit 0")));

    close(relay[0]);
    assert_int_equal(ended(), 0);
    close(supervisor[0]);
    arena_free(&a);
}

/* What the language has and this build has not: one sentence, and nothing of the set is loaded. */
static void it_refuses_what_it_cannot_serve(void **unused)
{
    (void)unused;
    int fds[LINK_FDS_MAX];
    start("relay hostname \"r.example\" state \"st\"\nlistener \"l\" address \"127.0.0.1:25\"\n"
          "rule \"groups\" when sender.group is \"x\" then require_tls\n");
    struct link_message m = hear(supervisor[0], fds);
    assert_int_equal(m.kind, LINK_REFUSED);
    assert_true(
        str_find(m.text, STR("config.sluice:3: the rule \"groups\" uses `sender.group`, which needs a directory")) !=
        STR_NPOS);
    assert_true(str_ends(m.name, STR("/st")));
    assert_int_equal(ended(), 78);
    close(relay[0]);
    close(supervisor[0]);
}

static void it_refuses_with_diagnostics(void **unused)
{
    (void)unused;
    int fds[LINK_FDS_MAX];
    start("relay hostname \"r.example\" state \"st\"\nlistener \"l\" address \"127.0.0.1:25\"\n"
          "when subjekt contains \"x\" then require_tls\n");
    struct link_message m = hear(supervisor[0], fds);
    assert_int_equal(m.kind, LINK_REFUSED);
    assert_true(str_find(m.text, STR("config.sluice:3:6: error")) != STR_NPOS);
    assert_true(str_ends(m.name, STR("/st")));
    assert_int_equal(ended(), 78);
    close(relay[0]);
    close(supervisor[0]);
}

static void it_ends_with_its_supervisor(void **unused)
{
    (void)unused;
    int fds[LINK_FDS_MAX];
    start("relay hostname \"r.example\"\nlistener \"l\" address \"127.0.0.1:25\"\n");
    assert_int_equal(hear(supervisor[0], fds).kind, LINK_BEGIN);
    link_close_all(fds);
    close(supervisor[0]);
    assert_int_equal(ended(), 0);
    close(relay[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_serves_judges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_refuses_with_diagnostics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_refuses_what_it_cannot_serve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_with_its_supervisor, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("builder: the template", tests, NULL, NULL);
}
