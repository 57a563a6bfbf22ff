/* context.c - who runs on this thread now */
#include "base/context.h"

static __thread const struct context *current;

const struct context *context_current(void)
{
    return current;
}

const struct context *context_set(const struct context *context)
{
    const struct context *before = current;

    current = context;
    return before;
}

const char *context_actor(const struct context *context, char *out, size_t size)
{
    if (context->actor)
        return context->actor;
    return context->format_actor ? context->format_actor(context, out, size) : "";
}

const char *context_sender(const struct context *context, char *out, size_t size)
{
    if (context->sender)
        return context->sender;
    return context->format_sender ? context->format_sender(context, out, size) : "";
}
