/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as a session description, behind one that says how many flows there is room for. What is
 * wrong names a line and says so in text that a terminal may see; what is right are flows from
 * sources to groups, as many as there is room for, and the same with more room.
 */
#include "fuzz.h"

#include <errno.h>

#include "mldv2_filter.h"
#include "sdp.h"

#define ROOM_MAX 256

static void
expect_flow(const struct sdp_flow *flow, unsigned int lines)
{
	EXPECT(mldv2_source_is_unicast(&flow->source));
	EXPECT(IN6_IS_ADDR_MULTICAST(&flow->group));
	EXPECT(flow->udp_port != 0);
	EXPECT(flow->line >= 1 && flow->line <= lines);
}

static void
expect_error(const struct sdp_error *error, unsigned int lines)
{
	EXPECT(error->line >= 1 && error->line <= lines);
	EXPECT(error->text[0] != '\0' && memchr(error->text, '\0', SDP_ERROR_SIZE) != NULL);
	for (const char *c = error->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~') {
			FAIL("octet %02x in an error", (unsigned char)*c);
			break;
		}
}

static bool
flows_equal(const struct sdp_flow *a, const struct sdp_flow *b)
{
	return mldv2_addr_cmp(&a->source, &b->source) == 0 &&
		mldv2_addr_cmp(&a->group, &b->group) == 0 && a->udp_port == b->udp_port &&
		a->clock_rate == b->clock_rate && a->leg == b->leg && a->line == b->line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sdp_flow all[ROOM_MAX];
	struct fuzz fuzz = {data, size};
	unsigned int room = 1 + fuzz_octet(&fuzz) % 64, lines = 1;
	struct sdp_flow *flows = fuzz_alloc(room * sizeof(*flows));
	struct sdp_error error = {0}, other = {0};
	size_t len = fuzz.left;
	char *text = fuzz_copy(fuzz.at, len);
	int n, n_all;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	n = sdp_parse(text, len, flows, room, &error);
	n_all = sdp_parse(text, len, all, ROOM_MAX, &other);
	EXPECT((n >= 1 && n <= (int)room) || n == -EINVAL);
	if (n == -EINVAL)
		expect_error(&error, lines);
	else
		EXPECT_EQ(n, n_all);
	if (n_all == -EINVAL)
		expect_error(&other, lines);
	else if (n < 0)
		EXPECT_LT(room, n_all);
	for (int i = 0; i < n; i++) {
		expect_flow(&flows[i], lines);
		EXPECT(flows_equal(&flows[i], &all[i]));
	}
	free(text);
	free(flows);
	return fuzz_judge();
}
