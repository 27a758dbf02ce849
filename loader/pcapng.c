// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers and layouts: draft-ietf-opsawg-pcapng, sections 3 and 4. */
#include "pcapng.h"

#include <errno.h>
#include <string.h>

#include "vxdp/util.h"

#define BLOCK_SECTION	 0x0a0d0d0a
#define BLOCK_INTERFACE	 1
#define BLOCK_STATISTICS 5
#define BLOCK_PACKET	 6

#define BYTE_ORDER_MAGIC  0x1a2b3c4d
#define LINKTYPE_ETHERNET 1

#define OPT_END		 0
#define OPT_COMMENT	 1
#define OPT_SHB_USERAPPL 4
#define OPT_IF_NAME	 2
#define OPT_IF_TSRESOL	 9
#define OPT_ISB_IFRECV	 4
#define OPT_ISB_IFDROP	 5
#define TSRESOL_NS	 9 /* 10^-9 s */

#define BLOCK_BYTES_MAX (PCAPNG_SNAPLEN_MAX + 1024)

/* A block being put together. Everything in it is aligned to 4 bytes. */
struct block {
	size_t bytes;
	uint8_t data[BLOCK_BYTES_MAX];
};

static void put(struct block *b, const void *data, size_t bytes)
{
	size_t padded = ALIGN_UP(bytes, (size_t)4);

	if (bytes)
		memcpy(b->data + b->bytes, data, bytes);
	memset(b->data + b->bytes + bytes, 0, padded - bytes);
	b->bytes += padded;
}

static void put_u32(struct block *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void put_option(struct block *b, uint16_t code, const void *value, uint16_t bytes)
{
	const uint16_t head[] = {code, bytes};

	put(b, head, sizeof(head));
	put(b, value, bytes);
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
	put_option(b, code, text, MIN(strlen(text), (size_t)256));
}

/* 64 bits of time go as two words, the high one first, whatever the byte order. */
static void put_time(struct block *b, uint64_t time_ns)
{
	put_u32(b, time_ns >> 32);
	put_u32(b, time_ns);
}

static void begin(struct block *b, uint32_t type)
{
	b->bytes = 0;
	put_u32(b, type);
	put_u32(b, 0); /* total length, see end() */
}

static int end(struct pcapng *p, struct block *b)
{
	uint32_t total;

	put_option(b, OPT_END, NULL, 0);
	total = b->bytes + sizeof(total);
	put_u32(b, total);
	memcpy(b->data + sizeof(uint32_t), &total, sizeof(total));
	return p->write(p->arg, b->data, b->bytes);
}

int pcapng_start(struct pcapng *p, pcapng_write_fn write, void *arg, uint32_t snaplen)
{
	const uint16_t version[] = {1, 0};
	const int64_t length_unknown = -1;
	struct block b;

	*p = (struct pcapng){.write = write, .arg = arg, .snaplen = snaplen};
	begin(&b, BLOCK_SECTION);
	put_u32(&b, BYTE_ORDER_MAGIC);
	put(&b, version, sizeof(version));
	put(&b, &length_unknown, sizeof(length_unknown));
	put_text(&b, OPT_SHB_USERAPPL, "vxdp " VXDP_VERSION);
	return end(p, &b);
}

int pcapng_interface(struct pcapng *p, const char *name)
{
	const uint16_t link[] = {LINKTYPE_ETHERNET, 0};
	const uint8_t resolution = TSRESOL_NS;
	struct block b;

	begin(&b, BLOCK_INTERFACE);
	put(&b, link, sizeof(link));
	put_u32(&b, p->snaplen);
	put_text(&b, OPT_IF_NAME, name);
	put_option(&b, OPT_IF_TSRESOL, &resolution, sizeof(resolution));
	p->n_interfaces++;
	return end(p, &b);
}

int pcapng_frame(struct pcapng *p, const struct pcapng_frame *frame)
{
	struct block b;

	if (frame->interface >= p->n_interfaces || frame->captured_bytes > PCAPNG_SNAPLEN_MAX)
		return -EINVAL;
	begin(&b, BLOCK_PACKET);
	put_u32(&b, frame->interface);
	put_time(&b, frame->time_ns);
	put_u32(&b, frame->captured_bytes);
	put_u32(&b, frame->frame_bytes);
	put(&b, frame->data, frame->captured_bytes);
	if (frame->comment)
		put_text(&b, OPT_COMMENT, frame->comment);
	return end(p, &b);
}

int pcapng_statistics(struct pcapng *p, uint32_t interface, uint64_t time_ns, uint64_t received,
		      uint64_t lost)
{
	struct block b;

	begin(&b, BLOCK_STATISTICS);
	put_u32(&b, interface);
	put_time(&b, time_ns);
	put_option(&b, OPT_ISB_IFRECV, &received, sizeof(received));
	put_option(&b, OPT_ISB_IFDROP, &lost, sizeof(lost));
	return end(p, &b);
}
