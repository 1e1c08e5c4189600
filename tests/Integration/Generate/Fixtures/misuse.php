<?php

declare(strict_types=1);

use Reasno\GoTask\GoTask;
use Reasno\GoTask\Service;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Circle;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Color;
use Reasno\GoTask\Tests\Integration\Generate\Edges\EdgesBox;
use Reasno\GoTask\Tests\Integration\Generate\Edges\EdgesOuterBox;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Images;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Tree;

/**
 * @return list<float>
 */
function uses(Images $images): array
{
    $images->print('1'); // wrong
    $images->print(1, x: Color::RED);
    $images->print(1, x: 'red'); // wrong
    $images->literal('other'); // wrong
    $images->literal('*/');
    $images->literal("it's");
    $images->oneOf(new Circle(1)); // wrong
    $images->nested(['a' => [[new EdgesBox(1)]]]); // wrong
    $images->sets(['1'], [], []); // wrong
    $images->missing(); // wrong
    $images->with(key: 7)->literal('other'); // wrong
    $images->with(timeout: 'long'); // wrong
    $text = trim($images->größeDerWelt()); // wrong
    $nested = $images->nested([]);
    $width = $nested['a'][0][0]->width; // wrong
    $pair = $images->pairs([])[0] ?? null;
    $text = trim($pair->color->value ?? '');
    $text = trim($pair?->box->color); // wrong
    foreach ($images->tree(new Tree())->below ?? [] as $tree) {
        $value = $tree->below?->value; // wrong
    }

    return array_map(static fn (EdgesBox $box): float => $box->width, $images->outer(new EdgesOuterBox())->boxes);
}

function untyped(GoTask $task, Service $service): string
{
    $result = $task->service('App')->say(last: 'Li', first: 'Jo');
    $service->hi('Jo', last: 'Li');
    $service->with(timeout: 2.0)->hi('Jo');
    array_map($service->hi(...), ['Jo']);
    $text = trim($service->hi()); // wrong

    return is_string($result) ? $result : '';
}
