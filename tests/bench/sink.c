// sink PORT STATSFILE [cert key [ticket|noticket]] : threaded SMTP sink, optional STARTTLS (TLS1.3/1.2, ECDSA),
// counters in mmap file
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/err.h>
typedef struct {
    _Atomic unsigned long msgs, conns, tlsfull, tlsres, bytes, tlserr, tlsmsgs, cur, maxcur;
} st;
static st *S;
static SSL_CTX *ctx;
typedef struct {
    int fd;
    SSL *ssl;
    char b[65536];
    int h, t;
} cn;
static int rd(cn *c, char *p, int n) { return c->ssl ? SSL_read(c->ssl, p, n) : (int)read(c->fd, p, n); }
static int wr(cn *c, const char *s)
{
    int n = strlen(s);
    return c->ssl ? SSL_write(c->ssl, s, n) : (int)write(c->fd, s, n);
}
static int fill(cn *c)
{
    if (c->h == c->t)
        c->h = c->t = 0;
    else if (c->t == (int)sizeof c->b) {
        memmove(c->b, c->b + c->h, c->t - c->h);
        c->t -= c->h;
        c->h = 0;
    }
    int r = rd(c, c->b + c->t, sizeof c->b - c->t);
    if (r <= 0) return -1;
    c->t += r;
    return r;
}
static int line(cn *c, char *o, int m)
{
    for (;;) {
        char *p = memchr(c->b + c->h, '\n', c->t - c->h);
        if (p) {
            int n = p - (c->b + c->h);
            if (n >= m) n = m - 1;
            memcpy(o, c->b + c->h, n);
            o[n] = 0;
            c->h = p - c->b + 1;
            return n;
        }
        if (fill(c) < 0) return -1;
    }
}
static void *serve(void *a)
{
    cn *c = a;
    char l[2048];
    unsigned long cu = ++S->cur;
    if (cu > S->maxcur) S->maxcur = cu;
    S->conns++;
    wr(c, "220 sink.test ESMTP\r\n");
    for (;;) {
        int n = line(c, l, sizeof l);
        if (n < 0) break;
        if (!strncasecmp(l, "EHLO", 4)) {
            wr(c, ctx && !c->ssl
                      ? "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
                      : "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250 8BITMIME\r\n");
        } else if (!strncasecmp(l, "STARTTLS", 8) && ctx) {
            wr(c, "220 go\r\n");
            c->h = c->t = 0;
            SSL *s = SSL_new(ctx);
            SSL_set_fd(s, c->fd);
            if (SSL_accept(s) != 1) {
                S->tlserr++;
                SSL_free(s);
                break;
            }
            c->ssl = s;
            if (SSL_session_reused(s))
                S->tlsres++;
            else
                S->tlsfull++;
        } else if (!strncasecmp(l, "DATA", 4)) {
            wr(c, "354 go\r\n");
            // scan for CRLF.CRLF with a small state machine fed by memchr
            int st = 1;
            unsigned long by = 0;
            int done = 0; // st: 1 = at line start
            while (!done) {
                if (c->h == c->t && fill(c) < 0) goto out;
                char *p = c->b + c->h, *e = c->b + c->t;
                by += e - p;
                while (p < e) {
                    if (st == 0) {
                        char *q = memchr(p, '\n', e - p);
                        if (!q) {
                            p = e;
                            break;
                        }
                        p = q + 1;
                        st = 1;
                    } else if (st == 1) {
                        if (*p == '.') {
                            st = 2;
                            p++;
                        } else
                            st = 0;
                    } else if (st == 2) {
                        if (*p == '\r') {
                            p++;
                            st = 3;
                        } else if (*p == '\n') {
                            p++;
                            done = 1;
                            break;
                        } else
                            st = 0;
                    } else {
                        if (*p == '\n') {
                            p++;
                            done = 1;
                            break;
                        } else
                            st = 0;
                    }
                }
                c->h = p - c->b;
            }
            S->bytes += by;
            wr(c, "250 2.0.0 queued\r\n");
            if (c->ssl) S->tlsmsgs++;
            S->msgs++;
        } else if (!strncasecmp(l, "QUIT", 4)) {
            wr(c, "221 bye\r\n");
            break;
        } else
            wr(c, "250 2.0.0 ok\r\n");
    }
out:
    if (c->ssl) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    close(c->fd);
    S->cur--;
    free(c);
    ERR_clear_error();
    return 0;
}
int main(int n, char **v)
{
    signal(SIGPIPE, SIG_IGN);
    int f = open(v[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (ftruncate(f, 4096)) return 1;
    S = mmap(0, 4096, 3, MAP_SHARED, f, 0);
    if (n > 4) {
        ctx = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(ctx, v[3]) != 1 ||
            SSL_CTX_use_PrivateKey_file(ctx, v[4], SSL_FILETYPE_PEM) != 1) {
            ERR_print_errors_fp(stderr);
            return 1;
        }
        SSL_CTX_set_session_id_context(ctx, (unsigned char *)"sink", 4);
        if (n > 5 && !strcmp(v[5], "noticket")) {
            SSL_CTX_set_num_tickets(ctx, 0);
            SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
            SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        }
    }
    int s = socket(AF_INET, SOCK_STREAM, 0), o = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &o, 4);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(v[1]))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s, (void *)&a, sizeof a) || listen(s, 1024)) {
        perror("bind");
        return 1;
    }
    pthread_attr_t at;
    pthread_attr_init(&at);
    pthread_attr_setdetachstate(&at, 1);
    pthread_attr_setstacksize(&at, 262144);
    for (;;) {
        int c = accept(s, 0, 0);
        if (c < 0) continue;
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &o, 4);
        cn *k = calloc(1, sizeof *k);
        k->fd = c;
        pthread_t p;
        if (pthread_create(&p, &at, serve, k)) {
            close(c);
            free(k);
        }
    }
}
