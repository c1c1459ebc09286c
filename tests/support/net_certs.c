#include "tests/support/net_certs.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

static X509 *authority;
static EVP_PKEY *authority_key;

static void add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX c;
    X509V3_set_ctx_nodb(&c);
    X509V3_set_ctx(&c, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    INVARIANT(e && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static X509 *make(const struct net_cert_wish *w, EVP_PKEY *key, const X509 *issuer, EVP_PKEY *issuer_key, bool ca)
{
    static long serial = 1000;
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    INVARIANT(X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++));
    X509_gmtime_adj(X509_getm_notBefore(x), -7 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x), w->expired ? -86400 : 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)w->common_name, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name);
    X509_set_pubkey(x, key);
    if (ca) add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    if (w->alt_names) add_extension(x, NID_subject_alt_name, w->alt_names);
    INVARIANT(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    return x;
}

static void need_authority(void)
{
    if (authority) return;
    authority_key = EVP_EC_gen("P-256");
    authority =
        make(&(struct net_cert_wish){.common_name = "Test authority"}, authority_key, NULL, authority_key, true);
}

static void drain(BIO *b, struct buf *out)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    buf_add(out, (struct str){p, (size_t)n});
    BIO_free(b);
}

void net_cert_make(const struct net_cert_wish *w, struct net_cert *out)
{
    need_authority();
    *out = (struct net_cert){0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = make(w, key, w->own_root ? NULL : authority, w->own_root ? key : authority_key, false);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, x);
    drain(b, &out->certificate);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    drain(b, &out->key);
    X509_free(x);
    EVP_PKEY_free(key);
}

void net_cert_free(struct net_cert *c)
{
    buf_free(&c->certificate);
    buf_free(&c->key);
}

void net_cert_authority(char path[64])
{
    need_authority();
    snprintf(path, 64, "/tmp/sluice-authority-XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    INVARIANT(f && PEM_write_X509(f, authority) && fclose(f) == 0);
}
