<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use Closure;
use Iterator;
use Reasno\GoTask\Calling\Services;
use Reasno\GoTask\Progress;
use RuntimeException;

/**
 * What a handler of a FakeGoTask can do during its call, as `gotask.current_call()` in Python: a handler whose last parameter has this
 * type is given it.
 *
 *     new FakeGoTask(['Video.Convert' => function (string $path, FakeCall $call) { $call->progress(0.5, 'half'); return 'done'; }]);
 */
final class FakeCall
{
    /** @var null|Progress what was told last */
    public ?Progress $progress = null;

    /**
     * @internal
     * @param Closure(mixed): mixed $pass what becomes of a value on its way
     * @param null|Closure(Progress): mixed $onProgress
     * @param null|Iterator<mixed> $input
     * @param array<array-key, string> $headers of the call
     */
    public function __construct(
        private readonly Closure $pass,
        private readonly Services $services,
        private readonly ?Closure $onProgress,
        private readonly ?Iterator $input,
        public readonly array $headers,
    ) {
    }

    /**
     * Tells the caller how far the call is; nobody is told where it has no onProgress.
     *
     * @param null|float $fraction as a rule 0 … 1
     */
    public function progress(?float $fraction = null, string $text = '', mixed $data = null): void
    {
        if ($this->onProgress !== null) {
            $this->progress = new Progress($fraction, $text, ($this->pass)($data));
            ($this->onProgress)($this->progress);
        }
    }

    /**
     * @return iterable<mixed> the input of the call
     */
    public function input(): iterable
    {
        foreach ($this->input ?? throw new RuntimeException('The caller sends no input.') as $element) {
            yield ($this->pass)($element);
        }
    }

    /**
     * Calls a service back that the FakeGoTask was given, such as `Config.get`. What that throws is not wrapped.
     */
    public function php(string $name, mixed ...$arguments): mixed
    {
        $method = $this->services->find($name) ?? throw new RuntimeException($this->services->missing($name));

        /** @var array<array-key, mixed> $arguments */
        $arguments = ($this->pass)($arguments) ?? [];

        return ($this->pass)($method($arguments));
    }
}
