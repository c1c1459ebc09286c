/* Every k-th failure of input and output: sluice-failing [OPTIONS] [POINTS]
 *
 *   --points N       about so many of them, spread over all; 0: every one
 *   --whole          every k, also of long rows of equal operations
 *   --jobs N         so many processes at a time
 *   --mistake NAME   planted: libc.c
 *   POINTS           those whose name begins so: START:LAYER:KIND:MODE:K; a whole name is told in full
 *
 * Each point is a store's two lives, in processes of their own, with that failure, and a third without.  Lost mail,
 * mail that stands though it was answered 451, wrong content, a crash, a hang or a leaked descriptor is told with the
 * point that shows it again; then the exit is 1. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/vec.h"
#include "tests/failing/failing.h"
#include "tests/support/store_driver.h"

enum { LIFE_SECONDS = 60, TOLD_MOST = 20, NAME_MOST = 80, ROW_TELLING = 16 };

const char *const layer_names[LAYER_COUNT] = {"vfs", "calls", "libc", "disk"};
const char *const kind_names[KIND_COUNT] = {"eio", "full", "memory", "files", "sync", "lost", "eintr", "short"};
const char *const op_names[OP_COUNT] = {"open",   "make", "read", "write", "sync", "truncate",
                                        "delete", "map",  "size", "grow",  "lock", "list"};

#define BIT(op) (1u << OP_##op)
#define ANY     ((1u << OP_COUNT) - 1)
/* What each kind applies to in each layer; nothing: there is no such failure. */
static const uint32_t applies[LAYER_COUNT][KIND_COUNT] = {
    [LAYER_VFS] = {[KIND_EIO] = ANY,
                   [KIND_FULL] = BIT(WRITE) | BIT(TRUNCATE) | BIT(GROW),
                   [KIND_MEMORY] = ANY,
                   [KIND_SYNC] = BIT(SYNC),
                   [KIND_LOST] = BIT(SYNC)},
    [LAYER_CALLS] = {[KIND_EIO] = ANY,
                     [KIND_FULL] = BIT(MAKE) | BIT(WRITE) | BIT(GROW),
                     [KIND_FILES] = BIT(OPEN) | BIT(MAKE),
                     [KIND_EINTR] = BIT(OPEN) | BIT(MAKE) | BIT(READ) | BIT(WRITE) | BIT(TRUNCATE) | BIT(GROW),
                     [KIND_SHORT] = BIT(READ) | BIT(WRITE)},
    [LAYER_LIBC] = {[KIND_EIO] = ANY,
                    [KIND_FULL] = BIT(MAKE) | BIT(WRITE) | BIT(SYNC),
                    [KIND_MEMORY] = BIT(MAKE) | BIT(MAP) | BIT(LIST),
                    [KIND_FILES] = BIT(OPEN) | BIT(MAKE),
                    [KIND_SYNC] = BIT(SYNC),
                    [KIND_LOST] = BIT(SYNC),
                    [KIND_EINTR] = BIT(READ) | BIT(WRITE) | BIT(SYNC),
                    [KIND_SHORT] = BIT(READ) | BIT(WRITE)},
    [LAYER_DISK] = {[KIND_EIO] = ANY,
                    [KIND_FULL] = BIT(MAKE) | BIT(WRITE) | BIT(GROW),
                    [KIND_FILES] = BIT(OPEN) | BIT(MAKE),
                    [KIND_SYNC] = BIT(SYNC),
                    [KIND_LOST] = BIT(SYNC)},
};

struct shared *shared;

bool fails(enum layer layer, enum op op)
{
    if (!shared || !shared->armed) return false;
    const struct point *p = &shared->point;
    bool of_disk = layer != LAYER_VFS || op == OP_SYNC; /* SQLite's VFS makes that call by itself */
    if ((p->layer != layer && !(p->layer == LAYER_DISK && of_disk)) || !(applies[p->layer][p->kind] & 1u << op))
        return false;
    uint32_t n = atomic_fetch_add(&shared->count, 1) + 1;
    if (!p->k && n <= TRACE_MOST) shared->trace[n - 1] = (uint8_t)op;
    if (!p->k || n < p->k || (n > p->k && !p->for_ever)) return false;
    if (atomic_fetch_add(&shared->struck, 1) == 0) shared->struck_op = (uint8_t)op;
    return true;
}

int errno_of_kind(void)
{
    static const int numbers[KIND_COUNT] = {EIO, ENOSPC, ENOMEM, EMFILE, EIO, EIO, EINTR, EIO};
    return numbers[shared->point.kind];
}

bool mistaken(const char *name) { return shared->mistake && !strcmp(shared->mistake, name); }

/* --- one point ---------------------------------------------------------------------------------------------------- */

static bool verbose;
static char *made_store; /* a directory with an empty store in it */

static void name_of(const struct point *p, char out[NAME_MOST])
{
    snprintf(out, NAME_MOST, "%s:%s:%s:%s:%u", p->first_start ? "first" : "later", layer_names[p->layer],
             kind_names[p->kind], p->for_ever ? "ever" : "once", p->k);
}

/* What a child ended with; a signal: negative. */
static int child(const char *state_dir, int generation)
{
    fflush(stdout);
    pid_t pid = fork();
    INVARIANT(pid >= 0);
    if (pid == 0) {
        alarm(LIFE_SECONDS);
        if (!verbose && !freopen("/dev/null", "w", stderr)) _exit(EX_OSERR);
        if (generation < 0) make_store(state_dir);
        if (generation < GENERATIONS) live(state_dir, (unsigned)generation);
        shared->armed = false;
        look_at_all(state_dir);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) INVARIANT(errno == EINTR);
    shared->armed = false;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct sums {
    uint32_t points, struck, fatal, refused_start, in_vain, wrong;
};

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char from[4096], to[4096];
    struct stat st;
    snprintf(from, sizeof from, "%s/%s", from_dir, name);
    snprintf(to, sizeof to, "%s/%s", to_dir, name);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    INVARIANT(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    for (off_t at = 0; at < st.st_size;) INVARIANT(sendfile(out, in, &at, (size_t)(st.st_size - at)) > 0);
    close(in);
    close(out);
}

static char *state_for(const struct point *p)
{
    char *state = directory_temporary();
    if (p->first_start) return state;
    copy_file(made_store, state, "queue.db");
    copy_file(made_store, state, "queue.db-wal");
    return state;
}

static void run_point(const struct point *p, struct sums *sums)
{
    const char *mistake = shared->mistake;
    static char trace[sizeof shared->trace];
    memcpy(trace, shared->trace, sizeof trace);
    memset(shared, 0, sizeof *shared);
    shared->point = *p;
    shared->mistake = mistake;
    char *state = state_for(p), name[NAME_MOST];
    int ends[GENERATIONS + 1];
    for (int g = 0; g <= GENERATIONS; g++) {
        ends[g] = child(state, g);
        if (ends[g] == -SIGALRM)
            snprintf(shared->wrong, TEXT_MOST, "life %d hangs", g);
        else if (ends[g] < 0)
            snprintf(shared->wrong, TEXT_MOST, "life %d ends by signal %d", g, -ends[g]);
        else if (ends[g] && ends[g] != EX_IOERR && ends[g] != EX_UNAVAILABLE)
            snprintf(shared->wrong, TEXT_MOST, "life %d ends with %d", g, ends[g]);
    }
    if (p->k && !p->for_ever && shared->cut_in_vain)
        snprintf(shared->wrong, TEXT_MOST, "one failure, and the log could not be cut");
    sums->points++;
    sums->struck += shared->struck > 0;
    sums->fatal += ends[0] == EX_IOERR || ends[1] == EX_IOERR;
    sums->refused_start += ends[0] == EX_UNAVAILABLE || ends[1] == EX_UNAVAILABLE;
    sums->in_vain += shared->cut_in_vain;
    if (shared->wrong[0]) {
        sums->wrong++;
        if (sums->wrong <= TOLD_MOST) {
            name_of(p, name);
            printf("%s (%s): %s\n", name, op_names[shared->struck_op], shared->wrong);
        }
    }
    if (verbose)
        printf("lives ended with %d, %d, %d; %u failed of %u\n", ends[0], ends[1], ends[2], shared->struck,
               shared->count);
    directory_remove(state);
    free(state);
    if (p->k) memcpy(shared->trace, trace, sizeof trace);
}

/* --- which points ------------------------------------------------------------------------------------------------- */

static VEC(struct point) points;

/* Of those whose name begins so; unless whole, the first few and the last of a row of equal operations. */
static void add_points(struct point p, const char *begins, bool whole)
{
    struct sums unused = {0};
    char name[NAME_MOST];
    name_of(&p, name);
    size_t common = strlen(name) - strlen("once:0"), n = strlen(begins);
    if (strncmp(name, begins, n < common ? n : common)) return;
    run_point(&p, &unused);
    if (unused.wrong) exit(1);
    uint32_t count = shared->count;
    INVARIANT(count <= TRACE_MOST);
    uint32_t since = 0;
    for (p.k = 1; p.k <= count; p.k++) {
        const uint8_t *op = &shared->trace[p.k - 1];
        since = p.k == 1 || op[-1] != *op ? 0 : since + 1;
        bool telling = whole || since < ROW_TELLING || p.k == count || op[1] != *op;
        for (int for_ever = p.layer == LAYER_DISK; /* once: the others' */ for_ever <= (p.kind != KIND_EINTR);
             for_ever++) {
            p.for_ever = for_ever;
            name_of(&p, name);
            if ((telling || !strcmp(name, begins)) && !strncmp(name, begins, n)) VEC_PUSH(&points, p);
        }
    }
}

static void *share(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    INVARIANT(p != MAP_FAILED);
    return p;
}

/* Every stride-th of them, each job its share. */
static struct sums run_all(unsigned jobs, size_t stride)
{
    struct sums *of_job = share(jobs * sizeof *of_job), all = {0};
    const char *mistake = shared->mistake;
    fflush(stdout);
    for (unsigned j = 0; j < jobs; j++) {
        pid_t pid = fork();
        INVARIANT(pid >= 0);
        if (pid) continue;
        shared = share(sizeof *shared);
        shared->mistake = mistake;
        for (size_t i = j * stride; i < points.n; i += jobs * stride) run_point(&points.v[i], &of_job[j]);
        fflush(stdout);
        _exit(0);
    }
    for (unsigned j = 0; j < jobs; j++) {
        int status;
        INVARIANT(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    for (unsigned j = 0; j < jobs; j++) {
        all.points += of_job[j].points;
        all.struck += of_job[j].struck;
        all.fatal += of_job[j].fatal;
        all.refused_start += of_job[j].refused_start;
        all.in_vain += of_job[j].in_vain;
        all.wrong += of_job[j].wrong;
    }
    return all;
}

int main(int argc, char **argv)
{
    unsigned jobs = 1;
    size_t most = 300;
    bool whole = false;
    const char *begins = "";
    shared = share(sizeof *shared);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--whole")) {
            whole = true;
        } else if (!strcmp(argv[i], "--points")) {
            most = strtoul(value, NULL, 10), i++;
        } else if (!strcmp(argv[i], "--jobs")) {
            jobs = (unsigned)strtoul(value, NULL, 10), i++;
        } else if (!strcmp(argv[i], "--mistake")) {
            shared->mistake = value, i++;
        } else {
            begins = argv[i];
        }
    }
    mallopt(M_ARENA_MAX, 1); /* one heap: less for each process to be given */
    mallopt(M_TOP_PAD, 4 << 20);
    failing_vfs_register();
    made_store = directory_temporary();
    INVARIANT(child(made_store, -1) == 0);
    for (int first = 0; first < 2; first++)
        for (int l = 0; l < LAYER_COUNT; l++)
            for (int k = 0; k < KIND_COUNT; k++)
                if (applies[l][k])
                    add_points((struct point){.first_start = first, .layer = (enum layer)l, .kind = (enum kind)k},
                               begins, whole);
    verbose = points.n == 1;
    size_t stride = !most || points.n <= most ? 1 : (points.n + most - 1) / most;
    struct sums sums = run_all(jobs ? jobs : 1, stride);
    printf("%u of %zu points, %u failed, %u of them fatally, %u could not start, %u told that the log could not be "
           "cut; wrong: %u\n",
           sums.points, points.n, sums.struck, sums.fatal, sums.refused_start, sums.in_vain, sums.wrong);
    directory_remove(made_store);
    free(made_store);
    VEC_FREE(&points);
    return sums.wrong || !sums.struck ? 1 : 0;
}
