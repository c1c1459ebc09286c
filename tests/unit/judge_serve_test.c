/* The loop of a judge process over a real channel: inline, by descriptor, damaged, closed. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/link_io.h"
#include "judge/serve.h"
#include "mail/live_list.h"
#include "tests/support/check.h"
#include "tests/support/compiled.h"

struct rig {
    struct compiled compiled;
    struct settings settings;
    struct judge *judge;
    int ours, theirs, status;
    pthread_t thread;
    struct arena *arena;
};

static const char *rules = "when body contains \"secret\" then require_tls";

static void *serve(void *context)
{
    struct rig *r = context;
    r->status = judge_serve(r->judge, r->theirs);
    close(r->theirs);
    return NULL;
}

static void rig_open(struct rig *r)
{
    struct err e = {0};
    int pair[2];
    *r = (struct rig){.arena = arena_create()};
    r->judge = judge_create(compiled_program(&r->compiled, str_of(rules)), &r->settings, &e);
    assert_non_null(r->judge);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    int room = 2 * PROTOCOL_DATAGRAM_MAX;
    for (int i = 0; i < 2; i++) setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    r->ours = pair[0];
    r->theirs = pair[1];
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static int rig_close(struct rig *r)
{
    close(r->ours);
    pthread_join(r->thread, NULL);
    judge_free(&r->judge);
    compiled_close(&r->compiled);
    arena_free(&r->arena);
    return r->status;
}

static struct judge_answer ask(struct rig *r, struct judge_request *q, int fd)
{
    static char bytes[PROTOCOL_DATAGRAM_MAX];
    static struct str to = {"b@partner.example", 17};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct buf out = {0};
    q->envelope.recipients = &to;
    q->envelope.recipient_count = 1;
    buf_add(&out, protocol_encode_request(q, &out));
    struct iovec part = {out.p, out.n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(r->ours, &m, 0), (ssize_t)out.n);
    buf_free(&out);
    ssize_t n = recv(r->ours, bytes, sizeof bytes, 0);
    assert_true(n > 0);
    struct judge_answer answer;
    struct err e = {0};
    struct str copy = arena_str(r->arena, (struct str){bytes, (size_t)n});
    if (!protocol_decode_answer(r->arena, copy, &answer, &e)) fail_msg("%s", e.text);
    assert_int_equal(answer.id, q->id);
    return answer;
}

static struct judge_request inline_request(uint64_t id, struct str content)
{
    return (struct judge_request){.id = id, .size = content.n, .content_inline = true, .content = content};
}

static void inline_content(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    for (uint64_t i = 1; i <= 50; i++) {
        struct judge_request q =
            inline_request(i, i % 2 ? STR("Subject: x\r\n\r\na secret\r\n") : STR("Subject: x\r\n\r\nnothing\r\n"));
        struct judge_answer a = ask(&r, &q, -1);
        assert_int_equal(a.kind, JUDGE_VERDICT);
        assert_int_equal(a.verdict.recipients[0].need.peer, i % 2 ? TLS_PEER_ENCRYPT : TLS_PEER_ANY_CHANNEL);
        assert_true(verdict_is_sound(&a.verdict, &q.envelope, q.content, NULL));
    }
    assert_int_equal(rig_close(&r), EX_OK);
}

static void content_by_descriptor(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct buf b = {0};
    buf_add(&b, STR("Subject: x\r\n\r\n"));
    while (b.n < 300000) buf_add(&b, STR("a line of a long letter\r\n"));
    buf_add(&b, STR("a secret\r\n"));
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
    struct judge_request q = {.id = 5, .size = b.n};
    struct judge_answer a = ask(&r, &q, fd);
    assert_int_equal(a.kind, JUDGE_VERDICT);
    assert_int_equal(a.verdict.recipients[0].need.peer, TLS_PEER_ENCRYPT);
    assert_int_equal(a.verdict.copies[0].length, b.n);
    q.size++; /* what the request says must be what came */
    assert_int_equal(ask(&r, &q, fd).kind, JUDGE_FAILED);
    assert_int_equal(ask(&r, &q, -1).kind, JUDGE_FAILED);
    struct judge_request next = inline_request(6, STR("Subject: x\r\n\r\nok\r\n")); /* the next message is unharmed */
    assert_int_equal(ask(&r, &next, -1).kind, JUDGE_VERDICT);
    close(fd);
    buf_free(&b);
    assert_int_equal(rig_close(&r), EX_OK);
}

static void no_request_ends_it(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    assert_int_equal(send(r.ours, "nonsense", 8, 0), 8);
    char byte;
    assert_int_equal(recv(r.ours, &byte, 1, 0), 0);
    assert_int_equal(rig_close(&r), EX_DATAERR);
    rig_open(&r);
    assert_int_equal(rig_close(&r), EX_OK);
}

/* --- live lists --------------------------------------------------------------------------------------------------- */

static void send_list(struct rig *r, uint64_t id, int fd, uint64_t size)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct buf out = {0};
    protocol_encode_list(&(struct judge_list){.id = id, .name = STR("vips"), .size = size}, &out);
    struct iovec part = {out.p, out.n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(r->ours, &m, 0), (ssize_t)out.n);
    buf_free(&out);
}

/* False: the judge ended over it. */
static bool is_listed(struct rig *r, uint64_t id)
{
    char bytes[4096];
    struct judge_answer answer;
    ssize_t n = recv(r->ours, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    assert_true(protocol_decode_answer(r->arena, (struct str){bytes, (size_t)n}, &answer, NULL));
    assert_int_equal(answer.id, id);
    assert_int_equal(answer.kind, JUDGE_LISTED);
    return true;
}

static int block_fd(const char *domain, bool sealed)
{
    struct err e = {0};
    struct buf block = {0};
    struct str key = str_of(domain);
    live_block(LIVE_DOMAIN, 1, &key, key.n ? 1 : 0, &block);
    int fd = sealed ? link_memfd("list", buf_str(&block), &e) : memfd_create("list", MFD_CLOEXEC);
    if (!sealed) assert_int_equal(write(fd, block.p, block.n), (ssize_t)block.n);
    buf_free(&block);
    return fd;
}

static uint64_t size_of(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    return (uint64_t)end;
}

static uint8_t answer_of(struct rig *r, uint64_t id)
{
    struct judge_request q = inline_request(id, STR("Subject: x\r\n\r\nx\r\n"));
    return ask(r, &q, -1).verdict.answer;
}

static void lists_between_requests(void **state)
{
    (void)state;
    struct rig r;
    rules = "list vips of domain in table \"vips\"\nwhen recipient.domain is in vips then reject \"no\"";
    rig_open(&r);
    int with = block_fd("partner.example", true), without = block_fd("", true);
    assert_int_equal(answer_of(&r, 1), VERDICT_DEFER); /* it has not come yet */
    for (uint64_t i = 10; i < 50; i += 4) {
        send_list(&r, i, with, size_of(with));
        assert_true(is_listed(&r, i));
        assert_int_equal(answer_of(&r, i + 1), VERDICT_REJECT);
        send_list(&r, i + 2, without, size_of(without));
        assert_true(is_listed(&r, i + 2));
        assert_int_equal(answer_of(&r, i + 3), VERDICT_ACCEPT);
    }
    send_list(&r, 60, -1, 0); /* gone again */
    assert_true(is_listed(&r, 60));
    assert_int_equal(answer_of(&r, 61), VERDICT_DEFER);
    assert_int_equal(rig_close(&r), EX_OK);
    close(with);
    close(without);
}

/* What is not sealed, is not of the size told, or is no block ends the judge: it takes nothing on trust. */
static void bad_lists_end_it(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct rig r;
        struct err e = {0};
        rules = "list vips of domain in table \"vips\"\nwhen recipient.domain is in vips then reject \"no\"";
        rig_open(&r);
        int fd = what == 0   ? block_fd("partner.example", false)
                 : what == 1 ? link_memfd("list", STR("no block at all, but sealed"), &e)
                             : block_fd("partner.example", true);
        send_list(&r, 1, what == 3 ? -1 : fd, size_of(fd) + (what == 2));
        assert_false(is_listed(&r, 1));
        assert_int_equal(rig_close(&r), EX_DATAERR);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inline_content),
        cmocka_unit_test(content_by_descriptor),
        cmocka_unit_test(no_request_ends_it),
        cmocka_unit_test(lists_between_requests),
        cmocka_unit_test(bad_lists_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
