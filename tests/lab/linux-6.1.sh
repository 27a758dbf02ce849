#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All parts of the laboratory on Linux 6.1.
exec "$(dirname "$0")/machine" 6.1
