<?php

declare(strict_types=1);

namespace Reasno\GoTask;

/**
 * How a client's errors name what is to be done: whoever wires a client into a framework says it in the framework's words.
 */
final class Hints
{
    /**
     * @param string $start a sentence: how the worker is started there; '' for the package's own commands
     * @param string $wait the setting that limits how long a connection is waited for
     * @param string $maxPayload the settings that limit a payload
     * @param string $generate the command that generates classes from the worker's methods
     */
    public function __construct(
        public readonly string $start = '',
        public readonly string $wait = 'connectTimeout of the client',
        public readonly string $maxPayload = 'maxPayload of the client, GOTASK_MAX_PAYLOAD of the worker',
        public readonly string $generate = 'vendor/bin/gotask generate',
    ) {
    }
}
