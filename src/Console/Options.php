<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use InvalidArgumentException;
use Symfony\Component\Console\Input\InputInterface;

use function is_array;
use function is_string;
use function strlen;

/**
 * A command's options and arguments with their types, and with GOTASK_* variables for those that are not given.
 *
 * @internal
 */
final class Options
{
    public function __construct(private readonly InputInterface $input)
    {
    }

    public function flag(string $name): bool
    {
        return $this->input->getOption($name) === true;
    }

    public function text(string $name): ?string
    {
        $value = $this->input->hasArgument($name) ? $this->input->getArgument($name) : $this->input->getOption($name);

        return is_string($value) ? $value : null;
    }

    /**
     * @return list<string>
     */
    public function list(string $name): array
    {
        $value = $this->input->getOption($name);

        return array_values(array_filter(is_array($value) ? $value : [], is_string(...)));
    }

    /**
     * @return null|int 0 or more
     * @throws InvalidArgumentException
     */
    public function integer(string $name): ?int
    {
        $text = $this->text($name);
        // More digits than these do not fit an integer, and would become another number.
        if ($text !== null && (! ctype_digit($text) || strlen(ltrim($text, '0')) > 18)) {
            throw new InvalidArgumentException("--{$name} takes a whole number, not '{$text}'");
        }

        return $text === null ? null : (int) $text;
    }

    /**
     * @return null|float above 0
     * @throws InvalidArgumentException
     */
    public function seconds(string $name): ?float
    {
        $variable = 'GOTASK_' . strtoupper(strtr($name, '-', '_'));
        $given = $this->text($name);
        $text = $given ?? (string) getenv($variable);
        if ($given === null && $text === '') {
            return null;
        }
        if (! is_numeric($text) || (float) $text <= 0.0 || ! is_finite((float) $text)) {
            throw new InvalidArgumentException(($given === null ? $variable : "--{$name}") . " takes a number of seconds above 0, not '{$text}'");
        }

        return (float) $text;
    }
}
