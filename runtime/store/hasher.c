#include "store/hasher.h"

#include <pthread.h>
#include <stdlib.h>

struct hasher {
    void (*hashed)(void *owner, struct page *p);
    void *owner;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct page *first, **end;
    bool stopping;
};

static void hash(struct page *p)
{
    static const struct scram_secret nobody = {.iterations = SCRAM_ITERATIONS};
    p->password_is = scram_password_is(p->user_count ? &p->users->secret : &nobody, p->query->password);
}

static void *hash_pages(void *context)
{
    struct hasher *h = context;
    pthread_mutex_lock(&h->lock);
    for (;;) {
        while (!h->first && !h->stopping) pthread_cond_wait(&h->came, &h->lock);
        struct page *p = h->first;
        if (!p) break;
        h->first = p->next;
        if (!h->first) h->end = &h->first;
        p->next = NULL;
        pthread_mutex_unlock(&h->lock);
        hash(p);
        h->hashed(h->owner, p);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct hasher *hasher_create(void (*hashed)(void *owner, struct page *p), void *owner)
{
    struct hasher *h = mem_alloc(sizeof *h);
    h->hashed = hashed;
    h->owner = owner;
    h->end = &h->first;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->came, NULL);
    INVARIANT(pthread_create(&h->thread, NULL, hash_pages, h) == 0);
    return h;
}

void hasher_submit(struct hasher *h, struct page *p)
{
    pthread_mutex_lock(&h->lock);
    *h->end = p;
    h->end = &p->next;
    pthread_cond_signal(&h->came);
    pthread_mutex_unlock(&h->lock);
}

void hasher_free(struct hasher **at)
{
    struct hasher *h = *at;
    if (!h) return;
    pthread_mutex_lock(&h->lock);
    INVARIANT(!h->first);
    h->stopping = true;
    pthread_cond_signal(&h->came);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->came);
    pthread_mutex_destroy(&h->lock);
    free(h);
    *at = NULL;
}
