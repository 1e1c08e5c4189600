<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Reasno\GoTask\Progress;
use Symfony\Component\Console\Helper\ProgressBar;
use Symfony\Component\Console\Output\OutputInterface;

use function max;
use function min;

/**
 * One line of a terminal that shows how far a call is, until the result takes its place.
 *
 * @internal
 */
final class ProgressLine
{
    private const STEPS = 1_000;

    private readonly ProgressBar $bar;

    public function __construct(OutputInterface $output)
    {
        $this->bar = new ProgressBar($output, self::STEPS);
        $this->bar->setFormat('%percent:3s%% [%bar%] %elapsed:6s% %message%');
    }

    public function show(Progress $progress): void
    {
        $this->bar->setMessage(Terminal::line($progress->text));
        if ($progress->fraction !== null) {
            $this->bar->setProgress((int) (self::STEPS * min(1.0, max(0.0, $progress->fraction))));
        }
        $this->bar->display();
    }

    public function end(): void
    {
        $this->bar->clear();
    }
}
