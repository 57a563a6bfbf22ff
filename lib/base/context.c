/* context.c - who runs on this thread now */
#include "base/context.h"

__thread const struct context *context_running;

const struct context *context_set(const struct context *context)
{
    const struct context *before = context_running;

    context_running = context;
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
