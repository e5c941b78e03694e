/* SPDX-License-Identifier: MIT */
/* Fuzzes a web configuration, and the same bytes as each of the headers of a request. */
#include <string.h>

#include "fuzz.h"
#include "http/headers.h"
#include "http/web_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct web_config config;
    struct error_text error;
    struct http_login login;
    char *text = malloc(size + 1); /* of just its size */

    CHECK(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (web_config_parse(NULL, text, size, &config, &error) == 0) {
        CHECK(config.n_users <= WEB_CONFIG_USERS_MAX);
        CHECK(!config.certificate == !config.key);
        web_config_free(&config);
    }
    http_wants_openmetrics(text);
    http_wants_gzip(text);
    http_host_is_local(text);
    if (http_read_login(text, &login))
        CHECK(*login.user && *login.password && !strchr(login.user, ':'));
    free(text);
    return 0;
}
