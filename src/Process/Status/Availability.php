<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Status;

/**
 * Whether a supervised worker takes calls, as its supervisor tells others.
 *
 * @internal
 */
enum Availability: string
{
    /** Not yet, or not for a moment: callers wait. */
    case Starting = 'starting';

    case Ready = 'ready';

    /** The last start failed. The supervisor tries again; callers do not wait for that. */
    case Failed = 'failed';
}
