/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - one line a message, on standard error. loader/log.c implements it; a test brings its own
 * vxdp_log().
 *
 * Whatever a peer can provoke goes through a *_limited() macro: each such place in the code prints
 * at most VXDP_LOG_BURST lines in VXDP_LOG_WINDOW_S seconds and then says how many it kept back.
 */
#ifndef VXDP_LOG_H
#define VXDP_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum vxdp_log_level { VXDP_LOG_ERROR, VXDP_LOG_WARN, VXDP_LOG_INFO, VXDP_LOG_DEBUG };

#define VXDP_LOG_BURST	  10
#define VXDP_LOG_WINDOW_S 10

struct vxdp_log_limit {
	uint64_t window_start_s;
	uint32_t printed;
	uint32_t kept_back;
};

/**
 * vxdp_log() - print one message, without newline at its end
 * @level: how bad it is
 * @limit: rate limit of this place in the code, or NULL
 * @fmt: printf format
 */
void vxdp_log(enum vxdp_log_level level, struct vxdp_log_limit *limit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** vxdp_log_level_set() - messages above this level are not printed (default: VXDP_LOG_INFO) */
void vxdp_log_level_set(enum vxdp_log_level level);

#define log_error(...) vxdp_log(VXDP_LOG_ERROR, NULL, __VA_ARGS__)
#define log_warn(...)  vxdp_log(VXDP_LOG_WARN, NULL, __VA_ARGS__)
#define log_info(...)  vxdp_log(VXDP_LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) vxdp_log(VXDP_LOG_DEBUG, NULL, __VA_ARGS__)

#define vxdp_log_limited_(level, ...)                                                              \
	do {                                                                                       \
		static struct vxdp_log_limit limit_;                                               \
		vxdp_log(level, &limit_, __VA_ARGS__);                                             \
	} while (0)

#define log_error_limited(...) vxdp_log_limited_(VXDP_LOG_ERROR, __VA_ARGS__)
#define log_warn_limited(...)  vxdp_log_limited_(VXDP_LOG_WARN, __VA_ARGS__)
#define log_info_limited(...)  vxdp_log_limited_(VXDP_LOG_INFO, __VA_ARGS__)

#endif /* VXDP_LOG_H */
