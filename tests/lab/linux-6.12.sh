#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Linux 6.12: what every kernel is asked for, and the parts where it differs from newer ones. The others:
# tests/lab/machine 6.12.
exec "$(dirname "$0")/machine" 6.12 firsts nested lanes taps
