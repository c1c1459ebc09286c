#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

enum {
    UNASKED_MAX = 32 * 1024
}; /* bytes that reading may bring about to be written, before the other side takes them */

struct tls_session {
    SSL *ssl;
    struct str *in;
    struct buf *wire;
    bool client, verify, by_name, broken;
    size_t unasked;
    struct net_tls_facts facts;
    char problem[256];
};

/* --- bytes in and out of a session -------------------------------------------------------------------------------- */

static int bio_read(BIO *b, char *out, int n)
{
    struct tls_session *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n <= 0) return 0;
    if (t->in->n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t take = t->in->n < (size_t)n ? t->in->n : (size_t)n;
    memcpy(out, t->in->p, take);
    *t->in = str_from(*t->in, take);
    return (int)take;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct tls_session *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n <= 0) return 0;
    buf_add(t->wire, (struct str){p, (size_t)n});
    return n;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *m;
    if (m) return m;
    m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    INVARIANT(m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
              BIO_meth_set_ctrl(m, bio_ctrl));
    return m;
}

/* The reason on top of OpenSSL's queue, which is emptied. */
static void take_error(char *out, size_t n, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(out, n, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
}

static bool context_error(struct err *e, int sysexit, const char *what)
{
    char text[200];
    take_error(text, sizeof text, what);
    return err_set(e, sysexit, "%s", text);
}

/* --- contexts ----------------------------------------------------------------------------------------------------- */

static SSL_CTX *context_create(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);
    INVARIANT(c && SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION));
    SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Our BIO never blocks, so WANT_READ must mean that the bytes in hand are used up; without this a session ticket in
     * front of an answer would leave the answer lying there. */
    SSL_CTX_set_mode(c, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    return c;
}

static int no_password(char *out, int n, int writing, void *arg)
{
    (void)out;
    (void)n;
    (void)writing;
    (void)arg;
    return -1; /* never ask on a terminal */
}

static BIO *text_bio(struct str s)
{
    BIO *b = s.n <= 1024 * 1024 ? BIO_new_mem_buf(s.n ? s.p : "", (int)s.n) : NULL;
    return b;
}

static bool use_chain(SSL_CTX *c, struct str pem, struct err *e)
{
    BIO *b = text_bio(pem);
    X509 *x = b ? PEM_read_bio_X509(b, NULL, no_password, NULL) : NULL;
    bool good = x && SSL_CTX_use_certificate(c, x) == 1;
    X509_free(x);
    if (!good) {
        BIO_free(b);
        return context_error(e, EX_CONFIG, "the certificate cannot be used");
    }
    while ((x = PEM_read_bio_X509(b, NULL, no_password, NULL))) {
        if (SSL_CTX_add0_chain_cert(c, x) == 1) continue; /* the context owns it now */
        X509_free(x);
        BIO_free(b);
        return context_error(e, EX_CONFIG, "the certificate's chain cannot be used");
    }
    BIO_free(b);
    unsigned long end = ERR_peek_last_error();
    if (end && ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
        return context_error(e, EX_CONFIG, "the certificate's chain cannot be read");
    ERR_clear_error();
    return true;
}

static bool use_key(SSL_CTX *c, struct str pem, struct err *e)
{
    BIO *b = text_bio(pem);
    EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
    bool good = k && SSL_CTX_use_PrivateKey(c, k) == 1;
    EVP_PKEY_free(k);
    BIO_free(b);
    if (!good) return context_error(e, EX_CONFIG, "the key cannot be used");
    if (SSL_CTX_check_private_key(c) != 1)
        return context_error(e, EX_CONFIG, "the key does not belong to the certificate");
    return true;
}

void *tls_server_context_create(struct str certificate, struct str key, struct err *e)
{
    ERR_clear_error();
    SSL_CTX *c = context_create(TLS_server_method());
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_dh_auto(c, 1);
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
    if (use_chain(c, certificate, e) && use_key(c, key, e)) return c;
    SSL_CTX_free(c);
    return NULL;
}

void tls_server_context_free(void *context) { SSL_CTX_free(context); }

/* Client contexts, one for each file of anchors, read again when the file changed.  The system's file is named here,
 * and read whole: OpenSSL's default directory would be opened during handshakes, where a sandbox forbids it. */
struct trust {
    struct trust *next;
    char *path; /* "" is the system's */
    SSL_CTX *context;
    bool loaded;
    struct timespec changed;
    off_t size;
    ino_t inode;
};
static struct trust *trusts;

static const char *system_anchors(void)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/cert.pem"};
    struct stat st;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (stat(files[i], &st) == 0) return files[i];
    return files[0];
}

static bool trust_is_current(const struct trust *t, const struct stat *st)
{
    return t->loaded && t->size == st->st_size && t->inode == st->st_ino && t->changed.tv_sec == st->st_mtim.tv_sec &&
           t->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* An unreadable file leaves what was read before; what was never read stays empty, and then nothing verifies. */
static bool trust_refresh(struct trust *t, struct err *e)
{
    const char *file = *t->path ? t->path : system_anchors();
    struct stat st;
    if (stat(file, &st) != 0) return t->loaded || err_os(e, EX_OSFILE, "cannot read the trust anchors in %s", file);
    if (trust_is_current(t, &st)) return true;
    SSL_CTX *c = context_create(TLS_client_method());
    if (SSL_CTX_load_verify_file(c, file) != 1) {
        SSL_CTX_free(c);
        char what[300];
        snprintf(what, sizeof what, "cannot use the trust anchors in %.200s", file);
        return t->loaded ? (ERR_clear_error(), true) : context_error(e, EX_OSFILE, what);
    }
    SSL_CTX_free(t->context);
    t->context = c;
    t->loaded = true;
    t->changed = st.st_mtim;
    t->size = st.st_size;
    t->inode = st.st_ino;
    return true;
}

static struct trust *trust_of(struct str path)
{
    for (struct trust *t = trusts; t; t = t->next)
        if (str_eq(str_of(t->path), path)) return t;
    struct trust *t = mem_alloc(sizeof *t);
    t->path = mem_alloc(path.n + 1);
    if (path.n) memcpy(t->path, path.p, path.n);
    t->context = context_create(TLS_client_method());
    t->next = trusts;
    trusts = t;
    return t;
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/* LDH host name (RFC 1123 section 2.1), of at least one label, the last not all digits: nothing else may reach
 * SSL_set1_host, which takes an empty name for "check no name" (reliability 0.6). */
static bool is_host_name(struct str s)
{
    if (s.n == 0 || s.n > 253) return false;
    struct str label, rest = s;
    bool digits = true;
    for (bool more = true; more;) {
        more = str_cut(rest, '.', &label, &rest);
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
        digits = true;
        for (size_t i = 0; i < label.n; i++) {
            if (!ascii_is_alpha(label.p[i]) && !ascii_is_digit(label.p[i]) && label.p[i] != '-') return false;
            digits = digits && ascii_is_digit(label.p[i]);
        }
    }
    return !digits;
}

static bool is_address(const char *name)
{
    unsigned char room[16];
    return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

static struct tls_session *session_create(SSL_CTX *context, struct str *in, struct buf *wire)
{
    struct tls_session *t = mem_alloc(sizeof *t);
    t->ssl = SSL_new(context);
    BIO *b = BIO_new(bio_method());
    INVARIANT(t->ssl && b);
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b);
    t->in = in;
    t->wire = wire;
    return t;
}

struct tls_session *tls_session_server(void *context, struct str *in, struct buf *wire)
{
    struct tls_session *t = session_create(context, in, wire);
    SSL_set_accept_state(t->ssl);
    return t;
}

/* What the peer's certificate must say.  False: it cannot be demanded, so nothing may be sent. */
static bool demand_name(struct tls_session *t, const char *name, bool verify, struct err *e)
{
    if (is_address(name)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name) == 1) return true;
        return !verify || context_error(e, EX_CONFIG, "the address cannot be verified");
    }
    if (!is_host_name(str_of(name)))
        return !verify ||
               err_set(e, EX_CONFIG, "\"%.64s\" is no host name that a certificate could be verified for", name);
    /* A common name is no DNS name: RFC 9525 section 2, which leaves the fall-back of RFC 6125 out. */
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    t->by_name = SSL_set1_host(t->ssl, name) == 1;
    if (SSL_set_tlsext_host_name(t->ssl, name) == 1 && t->by_name) return true;
    return !verify || context_error(e, EX_CONFIG, "the name cannot be verified");
}

struct tls_session *tls_session_client(const struct net_tls_client *how, struct str *in, struct buf *wire,
                                       struct err *e)
{
    char name[256];
    bool verify = how->verify == NET_VERIFY_PKIX;
    ERR_clear_error();
    if (how->name.n >= sizeof name || (how->name.n && memchr(how->name.p, '\0', how->name.n))) {
        err_set(e, EX_CONFIG, "the name to verify is no host name");
        return NULL;
    }
    snprintf(name, sizeof name, "%.*s", STR_ARG(how->name));
    struct trust *trust = trust_of(how->trust);
    if (!trust_refresh(trust, verify ? e : NULL) && verify) return NULL;
    struct tls_session *t = session_create(trust->context, in, wire);
    t->client = true;
    t->verify = verify;
    SSL_set_connect_state(t->ssl);
    SSL_set_verify(t->ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!verify) SSL_set_security_level(t->ssl, 1); /* old keys are still better than no encryption */
    bool good = demand_name(t, name, verify, e);
    if (good && how->floor_1_3 && SSL_set_min_proto_version(t->ssl, TLS1_3_VERSION) != 1)
        good = context_error(e, EX_CONFIG, "TLS 1.3 cannot be demanded");
    if (!good) tls_session_free(&t);
    return t;
}

void tls_session_free(struct tls_session **t)
{
    if (!*t) return;
    SSL_free((*t)->ssl);
    free(*t);
    *t = NULL;
}

static enum tls_progress fail(struct tls_session *t, const char *what)
{
    t->broken = true;
    take_error(t->problem, sizeof t->problem, what);
    return TLS_FAILED;
}

static enum tls_progress fail_handshake(struct tls_session *t)
{
    long verdict = SSL_get_verify_result(t->ssl);
    if (!t->client || verdict == X509_V_OK || !t->verify) return fail(t, "the TLS handshake failed");
    char what[200];
    snprintf(what, sizeof what, "the TLS certificate is not accepted (%s)", X509_verify_cert_error_string(verdict));
    return fail(t, what);
}

/* After a handshake that OpenSSL calls good: what it came to, and our own look at what was demanded. */
static enum tls_progress conclude(struct tls_session *t)
{
    t->facts.version = str_of(SSL_get_version(t->ssl));
    t->facts.cipher = str_of(SSL_get_cipher_name(t->ssl));
    if (!t->client) return TLS_DONE;
    X509 *peer = SSL_get1_peer_certificate(t->ssl);
    long verdict = SSL_get_verify_result(t->ssl);
    bool named = t->by_name ? SSL_get0_peername(t->ssl) != NULL : t->verify; /* by address: part of the verdict */
    if (!peer)
        t->facts.peer_problem = STR("the server showed no certificate");
    else if (verdict != X509_V_OK)
        t->facts.peer_problem = str_of(X509_verify_cert_error_string(verdict));
    else if (SSL_session_reused(t->ssl))
        t->facts.peer_problem = STR("the session was resumed");
    else if (!named)
        t->facts.peer_problem = STR("no name was verified");
    t->facts.peer_verified = t->facts.peer_problem.n == 0;
    X509_free(peer);
    if (!t->verify || t->facts.peer_verified) return TLS_DONE;
    char what[200];
    snprintf(what, sizeof what, "the TLS certificate is not accepted (%.*s)", STR_ARG(t->facts.peer_problem));
    return fail(t, what);
}

enum tls_progress tls_session_handshake(struct tls_session *t)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    if (rc == 1) return conclude(t);
    return SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ ? TLS_MORE : fail_handshake(t);
}

enum tls_progress tls_session_read(struct tls_session *t, char *out, size_t room, size_t *got)
{
    ERR_clear_error();
    if (t->wire->n == 0) t->unasked = 0;
    size_t before = t->wire->n;
    int rc = SSL_read_ex(t->ssl, out, room, got);
    if (rc != 1) *got = 0;
    /* Each request for new keys is answered at once: from one who never reads they would fill our memory. */
    t->unasked += t->wire->n - before;
    if (t->unasked > UNASKED_MAX) return fail(t, "the other side asks for new keys and reads no answers");
    if (rc == 1) return TLS_DONE;
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ: return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN: return TLS_ENDED;
    default: return fail(t, "TLS broke");
    }
}

bool tls_session_write(struct tls_session *t, struct str plain)
{
    while (plain.n) {
        size_t wrote = 0;
        ERR_clear_error();
        if (SSL_write_ex(t->ssl, plain.p, plain.n, &wrote) != 1) {
            fail(t, "TLS broke");
            return false;
        }
        plain = str_from(plain, wrote);
    }
    return true;
}

void tls_session_shutdown(struct tls_session *t)
{
    if (t->broken || SSL_in_init(t->ssl)) return;
    ERR_clear_error();
    SSL_shutdown(t->ssl); /* 0: theirs has not come, and is not waited for */
    ERR_clear_error();
}

const struct net_tls_facts *tls_session_facts(const struct tls_session *t) { return &t->facts; }
const char *tls_session_problem(const struct tls_session *t) { return t->problem; }

bool tls_warm(struct err *e)
{
    unsigned char some[16];
    if (RAND_bytes(some, sizeof some) != 1) return context_error(e, EX_OSERR, "OpenSSL has no random numbers");
    bio_method();
    /* A machine may have no anchors: mail that demands a verified peer then waits and names the file that is
     * missing. */
    trust_refresh(trust_of(STR_NONE), NULL);
    ERR_clear_error();
    return true;
}
