/* properties_master.c - what is left over in a master's books */
#include "properties_master.h"

#include <stdio.h>

#include "base/text.h"
#include "master/master_private.h"

bool properties_master_has_offer(const struct master *m, const char *id)
{
    for (const struct offer *o = m->offers; o; o = o->hh.next)
        if (text_is(o->id.text, id))
            return true;
    return false;
}

bool properties_master_left_over(const struct master *m, char *what, size_t size)
{
    if (!m->recovered || m->offers)
        return snprintf(what, size, "the master has %s", m->recovered ? "offers" : "not recovered");
    for (const struct framework_record *f = m->frameworks; f; f = f->hh.next) {
        if (f->tasks)
            return snprintf(what, size, "the master has task %s of agent %s",
                            f->tasks->id.text->bytes, f->tasks->agent_id.text->bytes);
        list_each (e, &f->executors, struct executor_record, framework_link)
            return snprintf(what, size, "the master has executor %s of framework %s on agent %s",
                            e->id.text->bytes, f->id.text->bytes, e->agent->id.text->bytes);
    }
    return false;
}
