/* chain.c - futures in a chain: a bool, then an int, then a word
 *
 * main is no actor: it gives the runtime's executor as the process in which
 * the steps run, and it may block until the last of them has ended.
 */
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "process/host.h"
#include "process/runtime.h"
#include "process/typed.h"

struct word {
    const char *text;
};

FUTURE_TYPE(answer, bool);
FUTURE_TYPE(mark, int);
FUTURE_TYPE(word, struct word);
FUTURE_TYPE_DEFINE(answer, bool, NULL);
FUTURE_TYPE_DEFINE(mark, int, NULL);
FUTURE_TYPE_DEFINE(word, struct word, NULL);

static struct future *answer_marked(struct process *self UNUSED, struct future *f, void *op UNUSED)
{
    return mark_ready(*answer_get(f) ? 1 : 6);
}

static struct future *mark_judged(struct process *self UNUSED, struct future *f, void *op UNUSED)
{
    return word_ready((struct word){ *mark_get(f) <= 4 ? "good" : "bad" });
}

static struct future *judge(struct runtime *rt, struct future *f)
{
    f = future_then(f, runtime_executor(rt), answer_marked, NULL);
    return future_then(f, runtime_executor(rt), mark_judged, NULL);
}

/* Takes f. */
static void print(struct host *host, struct future *f)
{
    struct error err;
    const struct word *w = word_wait(f, host, SECONDS(60), &err);

    if (w)
        printf("%s\n", w->text);
    else
        printf("failed: %s\n", err.text);
    future_unref(f);
}

int main(void)
{
    struct host *host = host_real_create();
    struct runtime_options options = { .workers = 1 };
    struct error err;
    struct runtime *rt = runtime_create(host, &options, &err);

    if (!rt) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    print(host, judge(rt, answer_ready(true)));
    print(host, judge(rt, answer_ready(false)));
    print(host, judge(rt, future_failed(&answer_type, 0, "nobody answered")));
    runtime_destroy(rt);
    host_destroy(host);
    return 0;
}
