<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

use function array_slice;
use function count;
use function is_int;

/**
 * Where in a nested value the failure lies. The codec that recurses adds one key a level on the way out, so that a value
 * without fault pays nothing for it.
 *
 * @internal
 */
trait ValuePath
{
    /** @var list<int|string> */
    private array $keys = [];

    /**
     * @param string $what what is wrong with the value and what to do about it; follows its path in the message
     */
    public function __construct(private readonly string $what, ?Throwable $previous = null)
    {
        parent::__construct($this->root . ' ' . $what, 0, $previous);
    }

    /**
     * The path to the value, such as `$payload['a'][3]`.
     */
    public function getPath(): string
    {
        // A value that contains itself has a path of hundreds of keys.
        $shown = count($this->keys) > 16 ? array_slice($this->keys, 0, 8) : $this->keys;
        $path = $this->root;
        foreach ($shown as $key) {
            $path .= '[' . (is_int($key) ? $key : self::quote($key)) . ']';
        }

        return $shown === $this->keys ? $path : $path . '…';
    }

    /**
     * @internal
     */
    public function within(int|string $key): static
    {
        array_unshift($this->keys, $key);
        $this->message = $this->getPath() . ' ' . $this->what;

        return $this;
    }

    /**
     * The key as PHP code has it; bytes that are not UTF-8 in octal, so that a log can hold the message.
     */
    private static function quote(string $key): string
    {
        return "'" . addcslashes($key, preg_match('//u', $key) === 1 ? "\0..\37'\\" : "\0..\37'\\\177..\377") . "'";
    }
}
