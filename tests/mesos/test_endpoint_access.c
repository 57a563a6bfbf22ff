/* test_endpoint_access.c - credentials and firewall rules as flags give them */
#include "base/base64.h"
#include "mesos/endpoint_access.h"
#include "process/http_access.h"
#include "tests/process/both.h"
#include "tests/unit.h"

static struct endpoint_access flags(void)
{
    return (struct endpoint_access){ .readonly_realm = "test-readonly",
                                     .readwrite_realm = "test-readwrite",
                                     .frameworks_realm = "test-frameworks",
                                     .authenticators = "basic",
                                     .credentials_flag = "--credentials" };
}

static void start(void)
{
    both_seed = 1;
    both_start((struct runtime_options){ 0 });
}

static void set(const struct endpoint_access *a)
{
    struct error err;
    int result = endpoint_access_set(rt, a, &err);

    ck_assert_msg(result == 0, "%s", result < 0 ? err.text : "");
}

static void refuses(const struct endpoint_access *a, const char *words)
{
    struct error err;

    ck_assert_int_eq(endpoint_access_set(rt, a, &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "no '%s' in '%s'", words, err.text);
}

static void write_file(const char *path, const char *text)
{
    struct error err;

    ck_assert_int_eq(host_write_file(both_host, path, text, strlen(text), 0600, &err), 0);
}

static void expect(const char *path, const char *words, int status)
{
    struct buffer b = BUFFER_INIT;

    buffer_printf(&b, "GET %s HTTP/1.1\r\n", path);
    if (words) {
        buffer_append_text(&b, "Authorization: Basic ");
        base64_encode(words, strlen(words), &b);
        buffer_append_text(&b, "\r\n");
    }
    buffer_append_text(&b, "\r\n");
    both_expect(buffer_data(&b), status, NULL);
    buffer_release(&b);
}

START_TEST(without_flags_everything_is_open)
{
    struct endpoint_access a = flags();

    start();
    set(&a);
    expect("/metrics/snapshot", NULL, 200);
    expect("/logging/toggle", NULL, 200);
    both_stop();
}
END_TEST

START_TEST(the_built_in_processes_belong_to_the_roles_realms)
{
    struct endpoint_access a = flags();

    start();
    a.readonly = true;
    a.credentials = "ann secret";
    set(&a);
    both_expect(BOTH_GET("/metrics/snapshot"), 401, "Basic realm=\"test-readonly\"");
    expect("/metrics/snapshot", "ann:secret", 200);
    expect("/logging/toggle", NULL, 200);
    expect("/version", NULL, 200);
    a.readwrite = true;
    set(&a);
    both_expect(BOTH_GET("/logging/toggle"), 401, "Basic realm=\"test-readwrite\"");
    expect("/logging/toggle", "ann:secret", 200);
    both_stop();
}
END_TEST

START_TEST(credentials_come_in_json_or_in_lines)
{
    struct endpoint_access a = flags();

    start();
    a.readonly = true;
    a.credentials = "{\"credentials\":[{\"principal\":\"ann\",\"secret\":\"s\"},"
                    "{\"principal\":\"bob\"}]}";
    set(&a);
    expect("/metrics", "ann:s", 200);
    expect("/metrics", "bob:", 200);
    expect("/metrics", "bob:s", 401);
    write_file("/lines", "cat c1\r\n\n   \n\tdan\td2  \neve e3");
    a.credentials = "/lines";
    set(&a);
    expect("/metrics", "cat:c1", 200);
    expect("/metrics", "dan:d2", 200);
    expect("/metrics", "eve:e3", 200);
    expect("/metrics", "ann:s", 401);
    write_file("/json", "\n {\"credentials\":[{\"principal\":\"fay\",\"secret\":\"f\"}]}\n");
    a.credentials = "/json";
    set(&a);
    expect("/metrics", "fay:f", 200);
    both_stop();
}
END_TEST

START_TEST(what_is_wrong_with_credentials_is_said_with_the_flag)
{
    struct endpoint_access a = flags();

    start();
    a.readonly = true;
    refuses(&a, "--authenticate_http_readonly needs --credentials");
    a.credentials = "/nowhere";
    refuses(&a, "--credentials: ");
    a.credentials = "ann secret\nbob\n";
    refuses(&a, "--credentials: line 2 is not a name and a secret");
    a.credentials = "ann secret more";
    refuses(&a, "--credentials: line 1 is not a name and a secret");
    a.credentials = "{\"credentials\":[{\"secret\":\"s\"}]}";
    refuses(&a, "--credentials: ");
    a.credentials = "{\"credentials\":";
    refuses(&a, "--credentials: ");
    a.credentials = "ann secret";
    a.authenticators = "com_example_Jwt";
    refuses(&a, "--http_authenticators is com_example_Jwt; it can be 'basic'");
    expect("/metrics", NULL, 200); /* nothing of it is half done */
    both_stop();
}
END_TEST

START_TEST(frameworks_need_an_authenticator_of_their_own)
{
    struct endpoint_access a = flags();

    start();
    a.frameworks = true;
    a.credentials = "ann secret";
    refuses(&a, "--http_framework_authenticators is not given");
    a.framework_authenticators = "basic";
    set(&a);
    both_stop();
}
END_TEST

START_TEST(firewall_rules_disable_endpoints)
{
    struct endpoint_access a = flags();

    start();
    a.firewall_rules = "{\"disabled_endpoints\":{\"paths\":[\"/help\",\"/metrics/snapshot\"]}}";
    set(&a);
    expect("/help", NULL, 403);
    expect("/metrics/snapshot", NULL, 403);
    expect("/metrics", NULL, 200);
    write_file("/rules", "{\"disabled_endpoints\":{\"paths\":[\"/version\"]}}");
    a.firewall_rules = "/rules";
    set(&a);
    expect("/version", NULL, 403);
    expect("/help", NULL, 200);
    a.firewall_rules = "{}";
    set(&a);
    a.firewall_rules = "{\"disabled_endpoints\":{\"paths\":[\"help\"]}}";
    refuses(&a, "--firewall_rules: 'help' is no endpoint");
    a.firewall_rules = "{\"disabled_endpoints\":7}";
    refuses(&a, "--firewall_rules: ");
    a.firewall_rules = "/nowhere";
    refuses(&a, "--firewall_rules: ");
    both_stop();
}
END_TEST

START_TEST(secrets_are_not_shown)
{
    char *value = mem_strdup("ann secret");

    endpoint_access_hide(&value);
    ck_assert_str_eq(value, "(given as text)");
    mem_free(value);
    value = mem_strdup("/etc/credentials");
    endpoint_access_hide(&value);
    ck_assert_str_eq(value, "/etc/credentials");
    mem_free(value);
    value = mem_strdup("{\"credentials\":[]}");
    endpoint_access_hide(&value);
    ck_assert_str_eq(value, "(given as text)");
    mem_free(value);
    value = NULL;
    endpoint_access_hide(&value);
    ck_assert_ptr_null(value);
}
END_TEST

UNIT(endpoint_access, without_flags_everything_is_open,
     the_built_in_processes_belong_to_the_roles_realms, credentials_come_in_json_or_in_lines,
     what_is_wrong_with_credentials_is_said_with_the_flag,
     frameworks_need_an_authenticator_of_their_own, firewall_rules_disable_endpoints,
     secrets_are_not_shown);
