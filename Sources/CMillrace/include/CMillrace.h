#pragma once
#include "millrace_crc32c.h"
#include "millrace_net.h"
#include "millrace_sys.h"
