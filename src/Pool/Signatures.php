<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Psr\Log\LoggerInterface;
use Reasno\GoTask\Protocol\Session;

use function count;
use function is_array;
use function is_string;
use function json_decode;

/**
 * Whether the generated classes that use a client were made from the methods that its worker has. Looked at when a connection is opened
 * and when such a class is made: calls cost no more.
 *
 * @internal
 */
final class Signatures
{
    /** @var array<string, true> what the classes were made from */
    private array $expected = [];

    /** The last connection that was opened. */
    private ?Session $session = null;

    /** @var array<string, true> what a warning told of */
    private array $warned = [];

    /**
     * @param string $command what generates the classes
     */
    public function __construct(private readonly LoggerInterface $logger, private readonly string $command)
    {
    }

    public function expect(string $signatures): void
    {
        if (! isset($this->expected[$signatures])) {
            $this->expected[$signatures] = true;
            $this->compare();
        }
    }

    public function areExpected(): bool
    {
        return $this->expected !== [];
    }

    public function opened(Session $session): void
    {
        $this->session = $session;
        $this->compare();
    }

    private function compare(): void
    {
        $said = $this->expected === [] ? null : json_decode($this->session->greeting ?? '', true);
        $has = is_array($said) ? $said['signatures'] ?? null : null;
        if (! is_string($has) || isset($this->warned[$has]) || isset($this->expected[$has]) && count($this->expected) === 1) {
            return;
        }
        $this->warned[$has] = true;
        $this->logger->warning("The Python worker has other methods than those that the classes were generated from: run `{$this->command}`, and look at what it changes.", ['logger' => 'gotask']);
    }
}
