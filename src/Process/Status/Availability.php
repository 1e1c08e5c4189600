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
    /** Not yet, or not for a moment: it is worth waiting for. */
    case Starting = 'starting';

    case Ready = 'ready';

    /** Its last start failed. It is tried again, but nobody should wait for that. */
    case Failed = 'failed';
}
